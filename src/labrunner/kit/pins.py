"""The settings of every session in the learner's role, fixed where the learner's SQL cannot reach them.

What the connection's startup packet sets beats ALTER ROLE and ALTER DATABASE. So every setting that a session
may choose for itself is put there: at the server's default, or at the value that makes executions comparable.
"""

from collections.abc import Iterable, Mapping
from typing import Final

# Where the observer's own role or the database has a say, the server's built-in value stands in.
DEFAULTS: Final = r"""
    select name,
           case when source in ('user', 'database', 'database user', 'client') then boot_val
                else reset_val end
    from pg_settings
    where context = 'user' and category <> 'Customized Options'
      and name not in ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')
    order by name
"""
CHOSEN: Final[Mapping[str, str]] = {
    "search_path": "public",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "row_security": "on",
    # Plans and block counts that depend on the table and its indexes alone.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "synchronize_seqscans": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "lock_timeout": "0",
}
# The client library negotiates this one itself.
LEFT_OUT: Final = frozenset({"client_encoding"})


def learner_options(defaults: Iterable[tuple[str, str | None]], statement_s: float) -> str:
    """Return the startup options of a learner's session, from the rows of `DEFAULTS` and a deadline."""
    settings = {name: value for name, value in defaults if value is not None and name not in LEFT_OUT}
    return options({**settings, **CHOSEN, "statement_timeout": str(round(statement_s * 1000))})


def observer_options() -> str:
    """Return the startup options of the grader's own session, which reads and trips over no policy."""
    return options(
        {
            "search_path": "pg_catalog",
            "row_security": "off",
            "default_transaction_read_only": "on",
            "TimeZone": "UTC",
            "DateStyle": "ISO, MDY",
        }
    )


def options(settings: Mapping[str, str]) -> str:
    """Return settings as the `options` of a connection."""
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
