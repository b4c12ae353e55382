"""What statements cost, as the server itself counts it in pg_stat_statements."""

from dataclasses import dataclass
from typing import Final

import psycopg

from labrunner.kit.failures import NotJudged
from labrunner.kit.observer import Observer

REMEDY: Final = (
    "start the server with shared_preload_libraries=pg_stat_statements, pg_stat_statements.track=all and "
    "pg_stat_statements.track_utility=on, and create the extension in the schema labrunner"
)
TOTALS: Final = """
    select coalesce(sum(s.calls), 0)::bigint,
           coalesce(sum(s.shared_blks_hit + s.shared_blks_read) filter (where s.toplevel), 0)::bigint,
           (select dealloc from labrunner.pg_stat_statements_info),
           current_setting('pg_stat_statements.track'), current_setting('pg_stat_statements.track_utility')
    from labrunner.pg_stat_statements(false) s
    where s.dbid = (select oid from pg_database where datname = current_database())
      and s.userid = (select oid from pg_roles where rolname = $1)
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """All that a role has done in a database so far.

    `calls` counts statements, nested ones too. `blocks` are shared blocks hit or read by the statements that
    are not nested; their figures hold those of the nested ones. `evictions` moves when the server forgets
    entries.
    """

    calls: int
    blocks: int
    evictions: int


def totals(observer: Observer, role: str) -> Totals:
    """Return the totals of `role` in this database. Raises NotJudged if the server does not count."""
    try:
        [(calls, blocks, evictions, track, track_utility)] = observer.query(TOTALS, role)
    except psycopg.Error as error:
        raise NotJudged(
            f"the Postgres server does not count statements: {error.diag.message_primary}", REMEDY
        ) from None
    if (track, track_utility) != ("all", "on"):
        raise NotJudged(
            f"the Postgres server does not count every statement: pg_stat_statements.track is {track}, "
            f"pg_stat_statements.track_utility is {track_utility}",
            REMEDY,
        )
    return Totals(calls, blocks, evictions)
