"""The services' one door to `subprocess`: the servers' own processes, and the keeper that owns them."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labrunner.errors import MachineError
from labrunner.waiting import poll

_LOG_LINES = 8
_PR_SET_PDEATHSIG = 1
_STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that servers run as when labrunner itself runs as root."""

    uid: int
    gid: int


def service_account() -> Account | None:
    """The account for servers, or None when this process is not root and servers run as its own user."""
    if os.getuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def last_lines(text: str, count: int = _LOG_LINES) -> str:
    """The last lines of a log, indented, for an error message."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-count:]) or "    (it printed nothing)"


def run(argv: Sequence[str], *, account: Account | None, environ: Mapping[str, str]) -> str:
    """Run a command to its end and return what it printed.

    Raises MachineError with the command and its last lines when it does not end with status 0.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the words come from recipes, never from a learner
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            cwd="/",
            env=dict(environ),
            **_identity(account),
        )
    except OSError as error:
        raise MachineError(f"{argv[0]}: cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise MachineError(
            f"{argv[0]} ended with status {done.returncode}; its last lines:\n{last_lines(done.stdout)}"
        )
    return str(done.stdout)


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server's process while it runs. It dies with the process that started it."""

    popen: subprocess.Popen[bytes]
    log: Path
    stop_signal: int

    @property
    def pid(self) -> int:
        return self.popen.pid

    def alive(self) -> bool:
        return self.popen.poll() is None

    def words(self) -> str:
        """The last lines the server printed."""
        return last_lines(self.log.read_text(encoding="utf-8", errors="replace"))


@contextmanager
def server_process(
    argv: Sequence[str], *, log: Path, account: Account | None, environ: Mapping[str, str], stop_signal: int
) -> Iterator[ServerProcess]:
    """Run a server to the end of the block, where `stop_signal` ends it, or SIGKILL if that is ignored."""
    with log.open("wb") as output:
        popen = subprocess.Popen(  # noqa: S603 - the words come from recipes, never from a learner
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=dict(environ),
            start_new_session=True,
            # The keeper has one thread when it starts its server, so code between fork and exec is safe.
            preexec_fn=_die_with_parent,  # noqa: PLW1509
            **_identity(account),
        )
    process = ServerProcess(popen, log, stop_signal)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            popen.send_signal(stop_signal)
        if not poll(lambda: not process.alive(), timeout_s=_STOP_S):
            popen.kill()
        popen.wait()


def attached(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program on this process's own terminal or pipes; its exit status. Ctrl-C is the program's."""
    before = signal.getsignal(signal.SIGINT)
    with subprocess.Popen(argv, env=dict(environ)) as process:  # noqa: S603 - the words are a service's own
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)


def launch(module: str, document: str, log: Path) -> Generator[str, None, None]:
    """Start `python -m MODULE` with `document` on its standard input, and yield the lines that it prints.

    The module goes on by itself: it leaves this process's session and forks, so nothing here waits for it.
    What it says on standard error goes to `log`.
    """
    with (
        log.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            [sys.executable, "-I", "-X", "utf8", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            cwd="/",
            start_new_session=True,
        ) as process,
    ):
        if process.stdin is None or process.stdout is None:  # pragma: no cover - PIPE was asked for
            return
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(document)
        yield from process.stdout


def _identity(account: Account | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _die_with_parent() -> None:  # pragma: no cover - runs between fork and exec, where nothing is measured
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
