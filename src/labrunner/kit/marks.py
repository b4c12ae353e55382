"""What a grader's author writes above a check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

CheckFunction = TypeVar("CheckFunction", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Marks:
    """What `check` was told: the points of the check, and the ids of the checks without which it waits."""

    points: int
    needs: tuple[str, ...]


def check(*, points: int = 1, needs: Sequence[str] = ()) -> Callable[[CheckFunction], CheckFunction]:
    """Say how many points a check is worth, and which other checks must have passed before it runs.

    The function comes back unchanged but for an attribute `labrunner` that holds the `Marks`. Points and
    needs are read from the source without running it, so both are written as literals.
    """

    def marked(function: CheckFunction) -> CheckFunction:
        function.labrunner = Marks(points, tuple(needs))  # type: ignore[attr-defined]
        return function

    return marked
