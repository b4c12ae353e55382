"""The parent's end of the conversation."""

import os
import socket
import time
from collections.abc import Iterator

import pytest

from labrunner.sandbox.control import Control


@pytest.fixture
def ends() -> Iterator[tuple[Control, socket.socket]]:
    ours, theirs = socket.socketpair()
    control = Control(ours, private=True)
    with theirs:
        yield control, theirs
        control.close()


def soon() -> float:
    return time.monotonic() + 5


def test_lines_come_one_by_one(ends: tuple[Control, socket.socket]) -> None:
    control, theirs = ends
    theirs.sendall(b"ready\nstar")
    theirs.sendall(b"ted\n")
    assert [control.line(soon()), control.line(soon())] == ["ready", "started"]
    with pytest.raises(TimeoutError):
        control.line(time.monotonic())
    theirs.close()
    assert control.line(soon()) is None


def test_a_line_without_an_end_is_the_end(ends: tuple[Control, socket.socket]) -> None:
    control, theirs = ends
    theirs.sendall(b"x" * 10_000)
    theirs.sendall(b"x" * 10_000)
    assert control.line(soon()) is None


def test_a_reset_is_the_end(ends: tuple[Control, socket.socket]) -> None:
    control, theirs = ends
    control.say("never read")
    theirs.close()
    assert control.line(soon()) is None
    control.say("to nobody")


def test_a_socket_is_handed_out_and_what_was_said_meanwhile_is_kept(
    ends: tuple[Control, socket.socket],
) -> None:
    control, theirs = ends
    with socket.socket() as made:
        theirs.sendall(b"ended 0\n")
        socket.send_fds(theirs, [b"socket\n"], [made.fileno()])
        socket.send_fds(theirs, [b"socket\n"], [made.fileno()])
        with control.new_socket(socket.AF_INET) as handed:
            assert handed.type == socket.SOCK_STREAM
    assert theirs.recv(100) == b"socket 2\n"
    assert control.line(soon()) == "ended 0"
    assert control.line(soon()) == "socket"
    before = len(os.listdir("/proc/self/fd"))
    control.close()
    # What was handed out and not taken is closed too.
    assert len(os.listdir("/proc/self/fd")) == before - 2


def test_a_box_that_ends_instead_of_a_socket_is_said(ends: tuple[Control, socket.socket]) -> None:
    control, theirs = ends
    theirs.close()
    with pytest.raises(ConnectionAbortedError, match="the box has ended"):
        control.new_socket(socket.AF_INET)
