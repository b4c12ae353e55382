"""The one place where the program waits: it polls a condition until a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def poll(condition: Callable[[], T | None], *, timeout_s: float, interval_s: float = 0.005) -> T | None:
    """Call `condition` until it returns a truthy value, and return that value.

    Returns None when `timeout_s` seconds have passed without one. The condition is always called at
    least once, and the pauses between calls grow from `interval_s` to twenty times that, so that a
    quick answer is seen quickly and a slow one costs little.
    """
    deadline = time.monotonic() + timeout_s
    pause = interval_s
    while True:
        value = condition()
        if value:
            return value
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return None
        time.sleep(min(pause, remaining))
        pause = min(pause * 1.5, interval_s * 20)
