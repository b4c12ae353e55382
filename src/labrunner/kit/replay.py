"""What a check ran, as a file for psql, so that the learner can see by hand what the grader saw."""

from collections.abc import Sequence

from psycopg import sql

from labrunner.kit.statements import Statement

# Vacuuming a whole database warns of each system table that is not the learner's.
VACUUM = "SET client_min_messages = error;\nVACUUM (ANALYZE);\nRESET client_min_messages;\n"
HEAD = "-- What the check ran, for `labrunner services shell postgres` to read.\n"


def replay(scripts: Sequence[str], *asked: tuple[Statement, Sequence[object]]) -> str:
    """The text of a psql script: run these files of the learner's, then explain and run each statement.

    `scripts` are paths relative to the workspace; each of `asked` is a statement with the values of its
    parameters. Give it to a failure as the evidence `replay`.
    """
    parts = [HEAD, *(f"\\i {path}\n" for path in scripts), VACUUM]
    for number, (statement, params) in enumerate(asked, start=1):
        name = f"asked_{number}"
        values = ", ".join(sql.Literal(value).as_string() for value in params)
        call = f"EXECUTE {name}({values});\n" if values else f"EXECUTE {name};\n"
        parts += [
            f"\nPREPARE {name} AS\n{statement.text.strip().removesuffix(';')};\n",
            f"EXPLAIN (ANALYZE, BUFFERS) {call}",
            call,
        ]
    return "".join(parts)
