"""Two things measured side by side, run by turns, so that whatever else this machine does hits both alike."""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from labrunner.errors import LabrunnerError

Once = Callable[[], float]
"""Does a thing once and returns the milliseconds of it that count."""


class NotMeasuredError(Exception):
    """This row cannot be measured on this machine; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `sides` makes all that the two sides need, yields them (ours first), and cleans up."""

    name: str
    what: str
    against: str
    budget: float
    sides: Callable[[], AbstractContextManager[tuple[Once, Once]]]


@dataclass(frozen=True, slots=True)
class Result:
    """The milliseconds of every round; none, and why, where the row could not be measured."""

    row: Row
    ours: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()
    missing: str = ""

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def within(self) -> bool:
        return not self.missing and self.ratio <= self.row.budget


def ms_since(begun: float) -> float:
    """The milliseconds since `time.perf_counter()` returned `begun`."""
    return (time.perf_counter() - begun) * 1000


def measured(row: Row, rounds: int) -> Result:
    """Run both sides by turns; one round before those that count makes all that is made only once."""
    ours: list[float] = []
    theirs: list[float] = []
    try:
        with row.sides() as (our_side, their_side):
            for _ in range(rounds + 1):
                ours.append(our_side())
                theirs.append(their_side())
    except (NotMeasuredError, LabrunnerError) as error:
        return Result(row, missing=" ".join(str(error).split()))
    return Result(row, tuple(ours[1:]), tuple(theirs[1:]))
