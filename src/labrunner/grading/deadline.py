"""The deadline of a check, kept inside the grader's process by a timer signal."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class DeadlineError(BaseException):
    """A check did not finish in time. No `except Exception` in a grader can swallow it."""


class Deadline:
    """Bounds the work of each check and of the whole run, in seconds; waiting for a lease is not counted."""

    def __init__(self, check_s: float, run_s: float) -> None:
        self.check_s = check_s
        self._run_left = run_s
        self._check_left = 0.0
        signal.signal(signal.SIGALRM, _strike)

    def renew(self) -> None:
        """Give the next check its full time, as far as the run has it."""
        self._check_left = min(self.check_s, max(self._run_left, 0.001))

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Raise DeadlineError inside the block when the check's time is over."""
        begun = time.monotonic()
        # Struck again every second: a check that swallows the first one does not get away with it.
        signal.setitimer(signal.ITIMER_REAL, max(self._check_left, 0.001), 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            used = time.monotonic() - begun
            self._check_left -= used
            self._run_left -= used

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the block: seeding a template once is nobody's slowness."""
        left, interval = signal.setitimer(signal.ITIMER_REAL, 0)
        begun = time.monotonic()
        try:
            yield
        finally:
            waited = time.monotonic() - begun
            self._check_left += waited
            self._run_left += waited
            if left:
                signal.setitimer(signal.ITIMER_REAL, left, interval)


def _strike(_signal: int, _frame: FrameType | None) -> None:
    raise DeadlineError
