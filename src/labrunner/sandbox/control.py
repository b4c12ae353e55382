"""The parent's end of the conversation with a box's supervisor."""

import contextlib
import os
import socket
import time

_CHUNK = 1 << 16
# The supervisor's lines are short; more than this is not its own doing.
_LINE_BYTES = 4096
_DESCRIPTORS = 4
_SOCKET_S = 5.0


class Control:
    """Lines to and from a supervisor, and the sockets that it makes in the box's own network.

    `private` says that the box has a network of its own; otherwise sockets are made here.
    """

    def __init__(self, ours: socket.socket, *, private: bool) -> None:
        self.socket = ours
        self._private = private
        self._unread = b""
        self._lines: list[str] = []
        self._handed: list[int] = []

    def close(self) -> None:
        """Close the conversation, which ends the box, and what was handed out but not taken."""
        self.socket.close()
        for descriptor in self._handed:
            os.close(descriptor)
        self._handed.clear()

    def send(self, data: bytes) -> None:
        """Send what the supervisor starts from. Nothing happens when it has ended: its silence says so."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def say(self, words: str) -> None:
        """Say a line."""
        self.send(words.encode() + b"\n")

    def line(self, until: float) -> str | None:
        """The supervisor's next line, None when it has ended. Raises TimeoutError at the time `until`."""
        while not self._lines:
            self.socket.settimeout(max(0.0, until - time.monotonic()) or 1e-6)
            try:
                chunk, handed, _, _ = socket.recv_fds(self.socket, _CHUNK, _DESCRIPTORS)
            except ConnectionResetError:
                return None
            finally:
                self.socket.settimeout(None)
            self._handed += handed
            *lines, self._unread = (self._unread + chunk).split(b"\n")
            if not chunk or len(self._unread) > _LINE_BYTES:
                return None
            self._lines += [line.decode("utf-8", "replace") for line in lines]
        return self._lines.pop(0)

    def new_socket(self, family: int) -> socket.socket:
        """A TCP socket in the box's network. Raises ConnectionError when the box has ended."""
        if not self._private:
            return socket.socket(family, socket.SOCK_STREAM)
        self.say(f"socket {int(family)}")
        until, others = time.monotonic() + _SOCKET_S, []
        try:
            while (words := self.line(until)) != "socket":
                if words is None:
                    raise ConnectionAbortedError("the box has ended")
                others.append(words)
        finally:
            self._lines[:0] = others
        return socket.socket(fileno=self._handed.pop(0))
