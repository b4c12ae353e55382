"""A deadline that holds even where the server's own does not."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg

# The server's own timeout comes first, where nothing has switched it off.
GRACE_S: Final = 0.25
STEP_S: Final = 1.0


class Deadline:
    """Whether the time for a statement is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether so many seconds have passed since the beginning."""
        return time.monotonic() - self._started >= self.seconds


@contextmanager
def deadline(
    connection: psycopg.Connection, seconds: float, terminate: Callable[[int], None]
) -> Iterator[Deadline]:
    """End what runs on `connection` in the body when `seconds` are over, whatever it takes.

    First comes a cancel request, which SQL can trap; then `terminate(pid)`; at last the socket is shut,
    so that the body comes back even from a server that does not answer. In each case the body gets a
    psycopg.Error.
    """
    done = threading.Event()
    watch = threading.Thread(target=_enforce, args=(connection, seconds, terminate, done), daemon=True)
    watch.start()
    try:
        yield Deadline(seconds)
    finally:
        done.set()
        watch.join()


def _enforce(
    connection: psycopg.Connection, seconds: float, terminate: Callable[[int], None], done: threading.Event
) -> None:
    if done.wait(seconds + GRACE_S):
        return
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=STEP_S)
    if done.wait(STEP_S):
        return
    with suppress(psycopg.Error):
        terminate(connection.info.backend_pid)
    if done.wait(STEP_S):
        return
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as doomed:
        doomed.shutdown(socket.SHUT_RDWR)
