"""A query's plan as Postgres ran it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labrunner.kit.values import grouped

TREE_NODES: Final = 60
CONDITION_CHARACTERS: Final = 100
LABEL_WIDTH: Final = 60
CONDITIONS: Final = ("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "TID Cond", "Order By")
FILTERS: Final = ("Filter", "Join Filter", "One-Time Filter")
TARGETS: Final = ("Relation Name", "CTE Name", "Function Name", "Table Function Name", "Tuplestore Name")


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a plan, with what it did over all its loops together.

    `relation` and `index` are names or None. `rows` came out of the node, `rows_removed` were read and thrown
    away in it. `blocks` are shared blocks hit and read by the node and all below it. `condition` and `filter`
    are Postgres' texts or None. `depth` is 0 for the top node; `loops` is 0 for a node that never ran.
    """

    type: str
    label: str
    relation: str | None
    index: str | None
    rows: int
    rows_removed: int
    blocks: int
    heap_fetches: int
    condition: str | None
    filter: str | None
    depth: int
    loops: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one execution: its nodes from the top, each before those below it."""

    nodes: tuple[Node, ...]

    @property
    def shared_blocks(self) -> int:
        """Shared blocks that the whole execution hit or read, each as often as it was visited."""
        return self.nodes[0].blocks

    @property
    def rows_removed(self) -> int:
        """Rows that were read and thrown away, in all nodes together."""
        return sum(node.rows_removed for node in self.nodes)

    def uses(self, index: str) -> bool:
        """Whether a node that really ran went through the index of this name."""
        return any(node.index == index and node.loops > 0 for node in self.nodes)

    def tree(self) -> str:
        """Return a small text: a line per node, indented by depth, and its conditions below it."""
        nodes = self.nodes[:TREE_NODES]
        width = min(LABEL_WIDTH, max(2 * node.depth + len(node.label) for node in nodes))
        lines = [line for node in nodes for line in _lines(node, width)]
        left_out = len(self.nodes) - TREE_NODES
        return "\n".join([*lines, *([f"… {grouped(left_out)} nodes more"] if left_out > 0 else [])])


def growth(small: float, large: float) -> float:
    """Return how many times as large `large` is as `small`; a `small` below one counts as one."""
    return large / max(small, 1)


def read_plan(document: Sequence[Mapping[str, Any]]) -> Plan:
    """Return the plan in what EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) printed, on Postgres 15 to 18.

    Raises KeyError, IndexError or TypeError if it is something else.
    """
    return Plan(tuple(_nodes(document[0]["Plan"])))


def _nodes(top: Mapping[str, Any]) -> Iterator[Node]:
    # A stack of our own: a plan nested hundreds deep must not exhaust Python's.
    waiting: list[tuple[Mapping[str, Any], int]] = [(top, 0)]
    while waiting:
        entry, depth = waiting.pop()
        yield _node(entry, depth)
        waiting += [(child, depth + 1) for child in reversed(entry.get("Plans", []))]


def _node(entry: Mapping[str, Any], depth: int) -> Node:
    loops = round(entry["Actual Loops"])
    removed = sum(value for name, value in entry.items() if name.startswith("Rows Removed by "))
    return Node(
        type=entry["Node Type"],
        label=_label(entry),
        relation=entry.get("Relation Name"),
        index=entry.get("Index Name"),
        # Per loop, and with a fraction from Postgres 18 on.
        rows=round(entry["Actual Rows"] * loops),
        rows_removed=round(removed * loops),
        blocks=entry["Shared Hit Blocks"] + entry["Shared Read Blocks"],
        heap_fetches=entry.get("Heap Fetches", 0),
        condition=_joined(entry, CONDITIONS),
        filter=_joined(entry, FILTERS),
        depth=depth,
        loops=loops,
    )


def _joined(entry: Mapping[str, Any], names: Sequence[str]) -> str | None:
    texts = [entry[name] for name in names if name in entry]
    return " AND ".join(texts) if texts else None


def _label(entry: Mapping[str, Any]) -> str:
    words = [entry["Node Type"]]
    if entry.get("Join Type", "Inner") != "Inner":
        words.append(f"({entry['Join Type']})")
    if entry.get("Scan Direction") == "Backward":
        words.append("Backward")
    if "Index Name" in entry:
        words += ["using", entry["Index Name"]]
    target = next((entry[name] for name in TARGETS if name in entry), None)
    if target is not None:
        words += ["on", target]
    if "Subplan Name" in entry:
        words.append(f"({entry['Subplan Name']})")
    return " ".join(" ".join(words).split())


def _lines(node: Node, width: int) -> Iterator[str]:
    indent = "  " * node.depth
    yield f"{indent}{node.label}".ljust(width) + "  " + ", ".join(_facts(node))
    for name, text in (("Condition", node.condition), ("Filter", node.filter)):
        if text is not None:
            yield f"{indent}  {name}: {_shortened(text)}"


def _facts(node: Node) -> Iterator[str]:
    if node.loops == 0:
        yield "never ran"
        return
    yield _counted(node.rows, "row")
    if node.rows_removed:
        yield f"{_counted(node.rows_removed, 'row')} read and thrown away"
    yield _counted(node.blocks, "block")
    if node.heap_fetches:
        yield f"{grouped(node.heap_fetches)} fetched from the table"
    if node.loops > 1:
        yield f"{grouped(node.loops)} times"


def _counted(number: int, word: str) -> str:
    return f"{grouped(number)} {word}" + ("" if number == 1 else "s")


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= CONDITION_CHARACTERS else text[: CONDITION_CHARACTERS - 1] + "…"
