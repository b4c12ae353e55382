"""Learner's programs for the tests: the child as a plain process, and peers that write what they are told."""

import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from labrunner.kit.functions import FunctionProgram, child

Start = Callable[..., FunctionProgram]
Reply = Callable[[str], bytes]


@dataclass(frozen=True)
class Started:
    """The child in a process of its own, whose output goes to a file."""

    popen: "subprocess.Popen[bytes]"
    output: IO[bytes]

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def ending(self) -> str:
        status = self.popen.wait(timeout=60)
        return f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"

    def words(self) -> str:
        self.output.seek(0)
        return self.output.read().decode("utf-8", "replace")


@contextmanager
def started(folder: Path, *, call_s: float = 30.0) -> Iterator[tuple[FunctionProgram, Started]]:
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as output:
        with theirs:
            command = [sys.executable, "-I", child.__file__, str(theirs.fileno()), str(folder)]
            popen = subprocess.Popen(
                command,
                cwd=folder,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = Started(popen, output)
        try:
            with FunctionProgram(ours, process, call_s=call_s) as program:
                yield program, process
            popen.wait(timeout=60)
        finally:
            process.kill()


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    folder = tmp_path / "submission"
    folder.mkdir()
    return folder


@pytest.fixture
def learner(submission: Path) -> Iterator[Start]:
    """Starts a program whose module `solution` has this source."""
    with ExitStack() as stack:

        def start(source: str = "", *, call_s: float = 30.0) -> FunctionProgram:
            if source:
                (submission / "solution.py").write_text(textwrap.dedent(source), encoding="utf-8")
            program, _ = stack.enter_context(started(submission, call_s=call_s))
            return program

        yield start


@dataclass
class NoProcess:
    """The process of a program that is only the other end of a socket."""

    killed: list[bool] = field(default_factory=list)

    def kill(self) -> None:
        self.killed.append(True)

    def ending(self) -> str:
        return "exit status 7"

    def words(self) -> str:
        return ""


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def tell(connection: socket.socket, replies: list[Reply], requests: list[int], step: int) -> None:
    """Answer each request with the bytes that are made from its nonce, then close.

    The numbers of the objects that the grader shares are left in `requests`.
    """
    with connection, suppress(OSError):
        for reply in replies:
            size = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
            request = connection.recv(size, socket.MSG_WAITALL).decode()
            requests += map(int, re.findall(r'"shared":\[(\d+)', request))
            message = reply(request.partition('"nonce":"')[2][:16])
            for start in range(0, len(message), step):
                connection.sendall(message[start : start + step])


@contextmanager
def peer(
    *replies: Reply, requests: list[int] | None = None, step: int = 1_000_000, **settings: Any
) -> Iterator[FunctionProgram]:
    """Give a program that answers like this, whatever it is asked."""
    ours, theirs = socket.socketpair()
    arguments = (theirs, list(replies), [] if requests is None else requests, step)
    thread = threading.Thread(target=tell, args=arguments)
    with ours:
        thread.start()
        with FunctionProgram(ours, NoProcess(), **settings) as program:
            yield program
        thread.join()


@pytest.fixture
def pairs() -> Iterator[Callable[..., tuple[socket.socket, FunctionProgram]]]:
    """Makes programs that are only the other end of a socket, which is given too."""
    with ExitStack() as stack:

        def make(**settings: Any) -> tuple[socket.socket, FunctionProgram]:
            ours, theirs = map(stack.enter_context, socket.socketpair())
            return theirs, FunctionProgram(ours, NoProcess(), **settings)

        yield make


@pytest.fixture(scope="session")
def answering() -> Callable[..., AbstractContextManager[FunctionProgram]]:
    """Makes a program of replies, each made from the nonce of its request."""
    return peer


@pytest.fixture(scope="session")
def said() -> Callable[[str], Reply]:
    """Makes a reply of what stands in its message beside the nonce."""
    return lambda text: lambda nonce: framed(f'{{"nonce":"{nonce}",{text}}}'.encode())


@pytest.fixture(scope="session")
def running() -> Callable[..., AbstractContextManager[tuple[FunctionProgram, Started]]]:
    """Starts the program of a folder."""
    return started
