"""The socket to the learner's program: one message out, one message back, whatever bytes come."""

import socket
from collections.abc import Callable
from typing import Final

MESSAGE_BYTES: Final = 1_000_000
HEAD: Final = 4
CHUNK: Final = 65_536


class WireError(Exception):
    """The talk cannot go on; `str(error)` says why, in words that follow "the program"."""


class EndedError(WireError):
    """The program has closed its side: it ended."""


class LateError(WireError):
    """The program did not reply in time."""


class BrokenError(WireError):
    """The program wrote what no program would write that leaves the talk alone."""


class Wire:
    """A connected stream socket over which each side waits for the other's message before its own."""

    def __init__(self, connection: socket.socket, clock: Callable[[], float]) -> None:
        self._socket = connection
        self._clock = clock

    def ask(self, message: bytes, until: float) -> bytes:
        """Send a message, and return the one that answers it.

        Raises LateError when the clock reaches `until`, however many bytes come until then, EndedError, and
        BrokenError for a message that was not asked for and for one that is empty or too large.
        """
        try:
            self._refuse_unasked()
            self._socket.settimeout(self._left(until))
            self._socket.sendall(len(message).to_bytes(HEAD, "big") + message)
            return self._answer(until)
        except TimeoutError:
            raise LateError("did not reply in time") from None
        except OSError:
            raise EndedError("has ended") from None

    def close(self) -> None:
        """Let go of the program, which ends it unless it is stuck."""
        self._socket.close()

    def _refuse_unasked(self) -> None:
        self._socket.settimeout(0)
        try:
            early = self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        if early:
            raise BrokenError("wrote to the lab's socket without having been asked")
        raise EndedError("has ended")

    def _answer(self, until: float) -> bytes:
        data = bytearray(self._some(CHUNK, until))
        while len(data) < HEAD:
            data += self._some(CHUNK, until)
        size = int.from_bytes(data[:HEAD], "big")
        if not 0 < size <= MESSAGE_BYTES:
            raise BrokenError("wrote bytes to the lab's socket that are no reply")
        while len(data) < HEAD + size:
            data += self._some(CHUNK, until)
        if len(data) > HEAD + size:
            raise BrokenError("wrote more to the lab's socket than one reply")
        return bytes(data[HEAD:])

    def _some(self, size: int, until: float) -> bytes:
        self._socket.settimeout(self._left(until))
        data = self._socket.recv(size)
        if not data:
            raise EndedError("has ended")
        return data

    def _left(self, until: float) -> float:
        left = until - self._clock()
        if left <= 0:
            raise TimeoutError
        return left
