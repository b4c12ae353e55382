"""The door to `subprocess` outside the services: a child that cannot outlive the block that owns it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from labrunner.errors import MachineError
from labrunner.sandbox.watch import descendants
from labrunner.waiting import poll

_PR_SET_PDEATHSIG = 1
_TREE_S = 5.0


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

    def ended(self, timeout_s: float) -> bool:
        """Whether it has ended, after waiting for that for some time."""
        return bool(poll(lambda: self.popen.poll() is not None, timeout_s=timeout_s, interval_s=0.001))

    def tree(self) -> list[int]:
        """The ids of it and all its descendants."""
        return [self.popen.pid, *map(int, descendants(self.popen.pid))]

    def kill_tree(self) -> None:
        """End it and all its descendants, whatever sessions they have moved to."""
        poll(lambda: not _kill_all(descendants(self.popen.pid)), timeout_s=_TREE_S)
        self.kill()

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


@contextmanager
def outermost(
    argv: Sequence[str],
    *,
    descriptors: Sequence[int],
    output: BinaryIO,
    account: int | None,
    before: Callable[[], None] | None,
    hint: str,
) -> Iterator[Process]:
    """Run the outermost process of a box, with no environment at all, to the block's end.

    `account` is the user and group id that it gets, `before` runs between fork and exec and must see to the
    account itself: both need root.
    Raises MachineError when it cannot be started. The block must end in the thread that entered it: the
    kernel ends a box with the thread that started it.
    """
    identity: dict[str, Any] = {}
    if account is not None and before is None:
        identity = {"user": account, "group": account, "extra_groups": []}
    try:
        popen = subprocess.Popen(  # noqa: S603 - the words are ours, the learner's travel as data
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={},
            pass_fds=tuple(descriptors),
            cwd="/",
            start_new_session=True,
            preexec_fn=before,  # noqa: PLW1509 - only as root, and only where files must be made reachable
            **identity,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MachineError(
            f"{argv[0]}: cannot be started: {getattr(error, 'strerror', None) or error}",
            hint=hint,
        ) from error
    process = Process(popen, output)
    try:
        yield process
    finally:
        process.kill()


def _kill_all(pids: Sequence[str]) -> int:
    """End these processes; how many of them were more than a record that waits to be collected."""
    alive = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(int(pid), signal.SIGKILL)
            # After the name in brackets, which may hold anything, comes the state.
            state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
            alive += state not in {"Z", "X"}
    return alive


def _die_with_parent() -> None:  # pragma: no cover - runs between fork and exec, where nothing is measured
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
