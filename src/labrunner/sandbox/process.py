"""The door to `subprocess` outside the services: a child that cannot outlive the block that owns it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from labrunner.errors import MachineError

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Process:
    """A running child, leader of a session of its own; what it prints goes to the file `output`."""

    popen: subprocess.Popen[bytes]
    output: BinaryIO

    def wait(self) -> int:
        """Wait for its end; the exit status, negative for a signal."""
        return self.popen.wait()

    def kill(self) -> None:
        """End it and everything it started in its session, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def words(self, limit: int = 4000) -> str:
        """The end of what it printed, at most `limit` characters."""
        self.output.seek(max(0, self.output.seek(0, os.SEEK_END) - limit))
        return self.output.read().decode("utf-8", "replace")


@contextmanager
def started(
    argv: Sequence[str], *, environ: Mapping[str, str], descriptors: Sequence[int], output: BinaryIO
) -> Iterator[Process]:
    """Run a command with exactly this environment and these inherited descriptors, to the block's end.

    Raises MachineError when it cannot be started.
    """
    try:
        popen = subprocess.Popen(  # noqa: S603 - the words are ours
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            pass_fds=tuple(descriptors),
            cwd="/",
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the command line has one thread
        )
    except OSError as error:
        raise MachineError(
            f"{argv[0]}: cannot be started: {error.strerror}",
            hint="check that this Python environment is whole; reinstalling labrunner makes it anew",
        ) from error
    process = Process(popen, output)
    try:
        yield process
    finally:
        process.kill()


def _die_with_parent() -> None:  # pragma: no cover - runs between fork and exec, where nothing is measured
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
