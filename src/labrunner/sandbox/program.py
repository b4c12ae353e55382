"""A program in its box, seen from outside: its pipes, its ports, its signals, its end."""

import errno
import signal
import socket
import time
from io import FileIO

from labrunner.sandbox import cgroup, endings
from labrunner.sandbox.box import Box, Ending
from labrunner.sandbox.control import Control
from labrunner.sandbox.process import Process

# How long after its own deadline a box may take to say how it ended, before it is ended from outside.
_GRACE_S = 3.0
_LEAVE_S = 5.0


class Program:
    """A program running in a box, until the block that runs it ends.

    `pid` is the box's outermost process on this machine: all that is in the box descends from it. `stdin`,
    `stdout` and `stderr` are the other ends of the program's pipes, unbuffered, for the caller to write and
    read; closing `stdin` says that there is no more. `deadline` is the monotonic time at which `wait` ends
    the box itself, a little after the box should have done so. `listeners` has a listening socket for each
    port that the box's description asked for: what the program connects to there arrives here.
    """

    def __init__(
        self,
        box: Box,
        outermost: Process,
        control: Control,
        stdio: tuple[FileIO, FileIO, FileIO],
        group: cgroup.Group | None,
    ) -> None:
        self.pid = outermost.popen.pid
        self.stdin, self.stdout, self.stderr = stdio
        self.listeners: dict[int, socket.socket] = {}
        self.limits = box.limits
        self.ending: Ending | None = None
        self._outermost = outermost
        self._control = control
        self._group = group
        self.deadline = time.monotonic() + box.limits.time_s + _GRACE_S
        self._printed = 0
        self._overflown = False

    def fileno(self) -> int:
        """A descriptor that is readable when the program may have ended: then `wait(0)` tells."""
        return self._control.socket.fileno()

    def wait(self, timeout_s: float | None = None) -> Ending | None:
        """Wait for the program's end, and that of all it started; None when the time is over first."""
        if self.ending:
            return self.ending
        until = self.deadline if timeout_s is None else min(self.deadline, time.monotonic() + timeout_s)
        try:
            words = self._control.line(until)
        except TimeoutError:
            if time.monotonic() < self.deadline:
                return None
            self._leave(0)
            self.ending = endings.overdue(self.limits)
            return self.ending
        if words is None or not words.startswith("ended "):
            self._leave(0)
            self.ending = endings.vanished(self.limits, output=self._overflown, kernel=self._enforced())
            return self.ending
        seen = endings.facts(words.removeprefix("ended "))
        self._leave(_LEAVE_S)
        self.ending = endings.ending(seen, self.limits, output=self._overflown, kernel=self._enforced())
        return self.ending

    def signal(self, number: int) -> None:
        """Send a signal to the program itself; nothing happens when it has ended."""
        if not self.ending:
            self._control.say(f"signal {number}")

    def kill(self) -> Ending:
        """End the program and all that it started, at once."""
        if not self.ending:
            self._control.say("end")
        ended = self.wait(_LEAVE_S)
        if ended is None:
            self._leave(0)
            ended = self.ending = endings.vanished(self.limits, output=self._overflown)
        return ended

    def stop(self, grace_s: float) -> Ending:
        """Ask the program to end by SIGTERM; end it when it has not within this time."""
        self.signal(signal.SIGTERM)
        return self.wait(grace_s) or self.kill()

    def printed(self, count: int) -> bool:
        """Count bytes read of the program's output; False when it is too much, and the program is ended."""
        self._printed += count
        if self._printed > self.limits.output_bytes and not self._overflown and not self.ending:
            self._overflown = True
            self.kill()
        return not self._overflown

    def connect(self, port: int, timeout_s: float = 2.0) -> socket.socket:
        """A connection to a port on which the program listens, on its own loopback.

        Raises ConnectionRefusedError while nobody listens there, TimeoutError when nobody accepts, and
        ConnectionError when the program has ended.
        """
        refused: OSError = ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if self.wait(0):
                raise ConnectionAbortedError(errno.ECONNABORTED, "the program has ended")
            made = self._control.new_socket(family)
            try:
                made.settimeout(timeout_s)
                made.connect((address, port))
            except OSError as error:
                made.close()
                if not isinstance(error, ConnectionRefusedError):
                    raise
                refused = error
            else:
                return made
        raise refused

    def _enforced(self) -> frozenset[str]:
        return self._group.hits() if self._group else frozenset()

    def _leave(self, timeout_s: float) -> None:
        """Let the box close; end it when it does not."""
        if not self._outermost.ended(timeout_s):
            self._outermost.kill_tree()
