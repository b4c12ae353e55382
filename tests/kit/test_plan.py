from collections.abc import Callable
from typing import Any

import pytest

from labrunner.kit import Database, Plan, Statement, growth
from labrunner.kit.plan import read_plan
from labrunner.kit.sqlfiles import Script
from labrunner.kit.statements import split


def node(**changes: Any) -> dict[str, Any]:
    given = {
        "Node Type": "Seq Scan",
        "Actual Rows": 1.0,
        "Actual Loops": 1,
        "Shared Hit Blocks": 0,
        "Shared Read Blocks": 0,
    }
    return {**given, **{name.replace("_", " "): value for name, value in changes.items()}}


def plan(**changes: Any) -> Plan:
    return read_plan([{"Plan": node(**changes)}])


@pytest.fixture
def indexed(database: Database) -> Database:
    statements = split(
        "create index by_email on customers (email) include (city); create index idle on orders (total)"
    )
    database.apply(Script("indexes.sql", statements))
    database.vacuum_analyze()
    return database


def test_a_scan_of_the_whole_table_shows_what_it_threw_away(shared: Database) -> None:
    seen = shared.explain("select * from customers where lower(email) = $1", "user7@example.org")
    (scan,) = seen.nodes
    assert (scan.type, scan.relation, scan.index, scan.depth, scan.loops) == (
        "Seq Scan",
        "customers",
        None,
        0,
        1,
    )
    assert (scan.rows, scan.rows_removed, seen.rows_removed) == (1, 19_999, 19_999)
    assert scan.filter == "(lower(email) = 'user7@example.org'::text)"
    assert scan.condition is None
    assert seen.shared_blocks == scan.blocks > 100


def test_an_index_that_was_used_is_told_from_one_that_was_not(indexed: Database) -> None:
    seen = indexed.explain("select city from customers where email = $1", "user7@example.org")
    assert seen.uses("by_email")
    assert not seen.uses("idle")
    assert seen.nodes[0].type == "Index Only Scan"
    assert seen.nodes[0].condition == "(email = 'user7@example.org'::text)"
    assert seen.nodes[0].heap_fetches == 0
    assert seen.shared_blocks < 8


def test_fetches_of_an_index_only_scan_from_the_table_are_counted(indexed: Database) -> None:
    indexed.insert("customers", ("id", "email", "spent"), [(30_000, "new@example.org", 1)])
    seen = indexed.explain("select city from customers where email = $1", "new@example.org")
    assert seen.nodes[0].heap_fetches == 1
    assert "1 fetched from the table" in seen.tree()


def test_the_tree_is_small_and_readable(indexed: Database) -> None:
    seen = indexed.explain(
        Statement(
            "select c.email, count(*) from customers c join orders o on o.customer_id = c.id"
            " where c.email = $1 and o.total > 5 group by c.email",
            1,
            "queries/a.sql",
        ),
        "user7@example.org",
    )
    lines = seen.tree().splitlines()
    assert lines[0].startswith("Aggregate  ") or lines[0].startswith("GroupAggregate  ")
    assert any(line.strip().startswith("Seq Scan on orders ") for line in lines)
    assert any("rows read and thrown away" in line for line in lines)
    assert any("Index Scan using by_email on customers" in line for line in lines)
    assert any(line.strip() == "Condition: (email = 'user7@example.org'::text)" for line in lines)
    assert max(map(len, lines)) < 150


def test_figures_for_each_loop_are_added_up() -> None:
    seen = plan(Actual_Rows=0.5, Actual_Loops=4, Rows_Removed_by_Filter=2, Rows_Removed_by_Index_Recheck=1)
    assert (seen.nodes[0].rows, seen.nodes[0].rows_removed, seen.nodes[0].loops) == (2, 12, 4)
    assert seen.tree() == "Seq Scan  2 rows, 12 rows read and thrown away, 0 blocks, 4 times"


def test_a_node_that_never_ran_uses_no_index() -> None:
    seen = plan(Node_Type="Index Scan", Index_Name="i", Actual_Loops=0, Actual_Rows=0)
    assert not seen.uses("i")
    assert seen.tree() == "Index Scan using i  never ran"


def test_labels_name_what_is_joined_read_and_how() -> None:
    assert plan(Node_Type="Hash Join", Join_Type="Left").nodes[0].label == "Hash Join (Left)"
    assert plan(Node_Type="Nested Loop", Join_Type="Inner").nodes[0].label == "Nested Loop"
    backward = plan(Node_Type="Index Scan", Scan_Direction="Backward", Index_Name="i", Relation_Name="t")
    assert backward.nodes[0].label == "Index Scan Backward using i on t"
    assert plan(Node_Type="CTE Scan", CTE_Name="recent").nodes[0].label == "CTE Scan on recent"
    assert plan(Node_Type="Result", Subplan_Name="InitPlan 1").nodes[0].label == "Result (InitPlan 1)"
    assert plan(Relation_Name="a\nb").nodes[0].label == "Seq Scan on a b"


def test_nodes_come_from_the_top_each_before_those_below_it() -> None:
    inner = [node(Relation_Name="a", Plans=[node(Relation_Name="b")]), node(Relation_Name="c")]
    seen = plan(Node_Type="Append", Plans=inner)
    assert [(entry.relation, entry.depth) for entry in seen.nodes] == [
        (None, 0),
        ("a", 1),
        ("b", 2),
        ("c", 1),
    ]


def test_long_conditions_and_long_trees_are_cut() -> None:
    assert "…" in plan(Filter="x" * 500).tree()
    assert max(map(len, plan(Filter="x" * 500).tree().splitlines())) <= 120
    seen = plan(Node_Type="Append", Plans=[node() for _ in range(99)])
    assert seen.tree().splitlines()[-1] == "… 40 nodes more"


def test_several_conditions_of_a_node_are_joined() -> None:
    seen = plan(Index_Cond="(a = 1)", Recheck_Cond="(b = 2)", Filter="(c = 3)")
    assert (seen.nodes[0].condition, seen.nodes[0].filter) == ("(a = 1) AND (b = 2)", "(c = 3)")


def test_growth_is_a_ratio_even_from_nothing() -> None:
    assert growth(10, 100) == 10
    assert growth(0, 5) == 5


def test_an_execution_and_its_plan_agree_on_blocks(open_database: Callable[..., Database]) -> None:
    database = open_database()
    for query in (
        "select count(*) from orders where customer_id < 50",
        "select * from customers where id = 12",
        "select (select max(total) from orders where customer_id = c.id) from customers c where id < 5",
        "with x as (select * from orders order by total limit 9) select * from x join customers using (id)",
    ):
        assert database.run(query).blocks == database.explain(query).shared_blocks
