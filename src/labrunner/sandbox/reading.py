"""Reads what a program prints, up to its limit, while it runs."""

import os
import selectors
import time
from dataclasses import dataclass
from functools import partial
from io import FileIO

from labrunner.sandbox.box import Ending
from labrunner.sandbox.program import Program

_CHUNK = 1 << 16
# What a program left in its pipes is read to the end, which comes with the end of its last process.
_DRAIN_S = 5.0


class Reader:
    """One of a program's two outputs, read piece by piece; both together count towards its limit.

    Register it with a selector and call `read_some` when it is ready. `text` keeps what was read: all of it,
    since the limit bounds it.
    """

    def __init__(self, program: Program, source: FileIO) -> None:
        self._program = program
        self._source = source
        self.text = bytearray()

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._source.fileno()

    def read_some(self) -> bool:
        """Read what is there; False at the end, and when the limit ends the program and its output."""
        chunk = os.read(self._source.fileno(), _CHUNK)
        if not chunk or not self._program.printed(len(chunk)):
            return False
        self.text += chunk
        return True


@dataclass(frozen=True, slots=True)
class Output:
    """What a program printed, and how it ended (None: it runs on)."""

    stdout: bytes
    stderr: bytes
    ending: Ending | None


def communicate(program: Program, given: bytes = b"", *, timeout_s: float | None = None) -> Output:
    """Give a program its standard input, whole, and read what it prints until it ends or time is over."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    out, err = Reader(program, program.stdout), Reader(program, program.stderr)
    with selectors.DefaultSelector() as selector:
        selector.register(program, selectors.EVENT_READ, partial(_runs, program))
        for reader in (out, err):
            selector.register(reader, selectors.EVENT_READ, reader.read_some)
        writer = _Writer(program.stdin, given)
        selector.register(writer, selectors.EVENT_WRITE, writer.write_some)
        while selector.get_map():
            until = program.deadline if deadline is None else min(deadline, program.deadline)
            for key, _ in selector.select(max(0.0, until - time.monotonic())):
                if not key.data():
                    selector.unregister(key.fileobj)
            if time.monotonic() >= until and (deadline is not None or program.wait(0)):
                break
            if program.ending and deadline is None:
                deadline = time.monotonic() + _DRAIN_S
    return Output(bytes(out.text), bytes(err.text), program.ending)


def _runs(program: Program) -> bool:
    return program.wait(0) is None


class _Writer:
    """Writes a program's standard input as fast as it is read, and closes it after that."""

    def __init__(self, target: FileIO, data: bytes) -> None:
        self._target = target
        self._left = memoryview(data)
        os.set_blocking(target.fileno(), False)

    def fileno(self) -> int:
        return self._target.fileno()

    def write_some(self) -> bool:
        """Write what there is room for; False when that was all, or nobody reads it any more."""
        try:
            self._left = self._left[os.write(self._target.fileno(), self._left) :]
        except BrokenPipeError:
            self._left = self._left[:0]
        if not self._left:
            self._target.close()
        return bool(self._left)
