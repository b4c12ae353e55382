"""The seeded shop, before and after the learner's indexes."""

from dataclasses import dataclass

from labrunner.kit import Database, Failure, SqlFiles


@dataclass(frozen=True, slots=True)
class Shop:
    """A seeded shop twice: `before` as it was, `after` with the learner's indexes, vacuumed and analysed.

    `objects` are those of `after` before the learner's file ran.
    """

    before: Database
    after: Database
    objects: frozenset[str]


def index(learner: SqlFiles, database: Database, where: str) -> None:
    """Run the learner's indexes.sql on a database, which `where` describes, and vacuum and analyse it."""
    try:
        database.apply(learner.script("indexes.sql"))
    except Failure as failure:
        message = f"indexes.sql was run on {where}, and stopped there.\n{failure.message}"
        raise Failure(
            message, expected=failure.expected, seen=failure.seen, evidence=failure.evidence
        ) from None
    database.vacuum_analyze()
