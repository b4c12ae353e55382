from labrunner.kit.tables import in_order, same_rows, table_pair, without


def test_rows_in_another_order_are_the_same_only_where_order_does_not_matter() -> None:
    assert same_rows([(1,), (2,)], [(2,), (1,)], ordered=False)
    assert not same_rows([(1,), (2,)], [(2,), (1,)], ordered=True)


def test_how_often_a_row_occurs_matters() -> None:
    assert not same_rows([(1,), (1,), (2,)], [(1,), (2,), (2,)], ordered=False)
    assert not same_rows([(1,)], [(1,), (1,)], ordered=False)


def test_types_matter_in_rows() -> None:
    assert not same_rows([(1,)], [("1",)], ordered=False)


def test_missing_rows_are_counted() -> None:
    assert without([(1,), (1,), (2,)], [(1,)]) == [(1,), (2,)]


def test_rows_whose_order_does_not_matter_are_sorted_by_their_text() -> None:
    assert in_order([["b", None], ["a", 1]], ordered=False) == [("a", 1), ("b", None)]
    assert in_order([["b"], ["a"]], ordered=True) == [("b",), ("a",)]


def test_two_tables_share_their_columns_widths() -> None:
    expected, seen = table_pair([(1, "long name")], [(100, None)], ("id", "name"))
    assert expected == "id  | name\n1   | long name"
    assert seen == "id  | name\n100 | NULL"


def test_look_alikes_in_tables_are_shown_with_their_types() -> None:
    expected, seen = table_pair([(1,)], [("1",)], ())
    assert (expected, seen) == ("1 (integer)", "1 (text)")


def test_a_table_without_rows_says_so() -> None:
    assert table_pair([(1,)], [], ()) == ("1", "no rows")


def test_large_tables_show_the_rows_around_the_first_difference() -> None:
    rows = [(number,) for number in range(2000)]
    changed = [*rows[:1000], (-1,), *rows[1001:]]
    expected, seen = table_pair(rows, changed, ("n",))
    lines = seen.splitlines()
    assert lines[0] == "… 980 rows before these"
    assert lines[1:3] == ["n", "980"]
    assert lines[22] == "-1"
    assert lines[-1] == "… 620 rows after these"
    assert expected.splitlines()[22] == "1000"


def test_large_tables_of_which_one_ends_early_show_where_it_ends() -> None:
    rows = [(number,) for number in range(500)]
    expected, seen = table_pair(rows, rows[:450], ())
    assert seen.splitlines()[0] == "… 430 rows before these"
    assert seen.splitlines()[-1] == "449"
    assert expected.splitlines()[-1] == "499"
