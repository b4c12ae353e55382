"""What is stored in a leased database: its indexes, and everything else."""

from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from labrunner.kit.observer import Observer

TABLES: Final = r"""
    select n.nspname, c.relname
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles r on r.oid = c.relowner
    where c.relkind in ('r', 'p', 'm') and r.rolname = $1 and n.nspname !~ '^pg_'
    order by 1, 2
"""
INDEXES: Final = r"""
    select n.nspname, i.relname, t.relname, a.amname,
           array(select pg_get_indexdef(x.indexrelid, k, true)
                 from generate_series(1, x.indnkeyatts) k order by k),
           array(select pg_get_indexdef(x.indexrelid, k, true)
                 from generate_series(x.indnkeyatts + 1, x.indnatts) k order by k),
           pg_get_expr(x.indpred, x.indrelid, true),
           x.indisunique, x.indisprimary, x.indisvalid and x.indisready, pg_get_indexdef(x.indexrelid),
           pg_relation_size(x.indexrelid), coalesce(pg_stat_get_numscans(x.indexrelid), 0)
    from pg_index x
    join pg_class i on i.oid = x.indexrelid
    join pg_class t on t.oid = x.indrelid
    join pg_namespace n on n.oid = t.relnamespace
    join pg_am a on a.oid = i.relam
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    order by 1, 3, 2
"""


@dataclass(frozen=True, slots=True)
class Index:
    """One index. Names are bare; `columns` are the keys in order, each a column or an expression as text.

    `include` are the columns that are only carried along; `predicate` is the text of a partial index's WHERE
    or None. `definition` is the whole CREATE INDEX, sort orders included. `bytes` is its size on disk, and
    `scans` how often it was read; the server may tell that a second late. `valid` is False for what a failed
    CREATE INDEX CONCURRENTLY leaves behind.
    """

    schema: str
    name: str
    table: str
    method: str
    columns: tuple[str, ...]
    include: tuple[str, ...]
    predicate: str | None
    unique: bool
    primary: bool
    valid: bool
    definition: str
    bytes: int
    scans: int


def indexes(observer: Observer) -> tuple[Index, ...]:
    """Return every index outside the system's schemas, ordered by schema, table and name."""
    return tuple(_index(row) for row in observer.rows(INDEXES))


def objects(observer: Observer, role: str) -> frozenset[str]:
    """Return a readable line for every object of the database that is no index.

    A line begins with the kind and the name, "trigger audit on public.orders", and goes on with what would
    change with the object: types, definitions or their digests, rights, stored settings. Members of
    extensions are left out, the extensions are not. `role` is the learner's role: the lines say `learner`.
    """
    query = resources.files(__package__).joinpath("objects.sql").read_text(encoding="utf-8")
    return frozenset(line for (line,) in observer.rows(query, role))


def _index(row: tuple[Any, ...]) -> Index:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    return Index(*values)
