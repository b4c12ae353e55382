"""What a grader's process reports, one event a line: made by its plugin, read by the parent."""

from collections.abc import Mapping
from dataclasses import dataclass

from labrunner.model import Fault, Json, Outcome

# A line is one JSON object with the run's nonce, at most this long and this deep.
LINE_BYTES = 1_000_000
DEPTH = 32


@dataclass(frozen=True, slots=True)
class Begin:
    """The run begins; `checks` are the ids in the order in which they will report."""

    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """A check starts to run."""

    check: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A check has run. `fault` is set exactly when the outcome is `not_judged`; texts are uncleaned."""

    check: str
    outcome: Outcome
    message: str = ""
    expected: str | None = None
    seen: str | None = None
    evidence: Mapping[str, Json] | None = None
    duration_s: float = 0.0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A check was not run, because an earlier stage or a check that it needs failed."""

    check: str
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """The closing record; `reported` is the number of Judged and Waiting events before it."""

    reported: int


Event = Begin | Start | Judged | Waiting | End
