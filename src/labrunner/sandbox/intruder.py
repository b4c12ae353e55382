"""Tries to get out of a box, and prints what it managed: a line `CLAIM held` or `CLAIM broken WHAT` for each.

It runs inside the box, as a program does, from this file's text alone: the standard library is all it has.
Its arguments are the process id of whoever made the box, a file that the box does not show, a TCP and a UDP
port and an abstract socket of the machine, the number of processes and bytes of disk that the box allows,
and the claims to try.
"""

from __future__ import annotations

import os
import sys

_USER_NAMESPACE = 0x10000000
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_SHORT_S = 0.2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Intruder:
    """Each method tries one thing and returns what it managed, or nothing."""

    def __init__(self, words: list[str]) -> None:
        self.launcher, self.secret, tcp, udp, self.abstract, processes, disk = words[:7]
        self.tcp, self.udp, self.processes, self.disk = int(tcp), int(udp), int(processes), int(disk)

    def files(self) -> str:
        """Read what is not shown, or write where everybody's files are."""
        return self._opened(self.secret) or next(
            (f"wrote {path}" for path in ("/intruder", "/usr/intruder", "/etc/intruder") if _creates(path)),
            "",
        )

    def processes_of_others(self) -> str:
        """See or touch the process that made the box."""
        return self._opened(f"/proc/{self.launcher}/cmdline")

    def memory(self) -> str:
        """Open the memory of the launcher or of the box's first process."""
        return self._opened(f"/proc/{self.launcher}/mem") or self._opened(f"/proc/{os.getppid()}/mem")

    def environment(self) -> str:
        """Read the environment of any process but this one."""
        for pid in ("1", str(os.getppid()), self.launcher):
            if found := self._opened(f"/proc/{pid}/environ"):
                return found
        return ""

    def signals(self) -> str:
        """Reach the launcher, or end the box's first process."""
        for pid in (int(self.launcher), os.getppid()):
            if pid not in {1, os.getpid()}:
                try:
                    os.kill(pid, 0)
                except OSError:
                    continue
                return f"signals process {pid}"
        return ""

    def network(self) -> str:
        """Reach a server of the machine by TCP, UDP or a unix socket without a file."""
        import socket

        tries = (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", self.tcp)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.udp)),
            (socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.abstract),
        )
        found = ""
        for family, kind, address in tries:
            try:
                with socket.socket(family, kind) as made:
                    made.settimeout(_SHORT_S)
                    made.connect(address)
                    made.send(b"intruder")
            except OSError:
                continue
            # A datagram is sent whether or not it arrives: whoever waits for it says so.
            if kind == socket.SOCK_STREAM:
                found = found or f"connected to {address!r}"
        return found

    def kernel(self) -> str:
        """Make a user namespace, or use the kernel's key rings."""
        import ctypes

        libc = ctypes.CDLL(None)
        if libc.syscall(_KEYCTL.get(os.uname().machine, -1), 0, -3, 0) >= 0:
            return "used keyctl"
        pid = os.fork()
        if pid == 0:
            os._exit(0 if libc.unshare(_USER_NAMESPACE) == 0 else 1)
        return "made a user namespace" if os.waitpid(pid, 0)[1] == 0 else ""

    def forks(self) -> str:
        """Fork past the limit, in a counted loop that ends some forks after it."""
        report, held = os.pipe()
        children = 0
        try:
            while children < self.processes + 4:
                if os.fork() == 0:
                    os.close(held)
                    os.read(report, 1)
                    os._exit(0)
                children += 1
        except OSError:
            pass
        os.close(held)
        for _ in range(children):
            os.wait()
        return f"had {children} children" if children >= self.processes else ""

    def disk_space(self) -> str:
        """Fill the temporary folder and shared memory past their size."""
        for folder in (os.environ.get("TMPDIR", "/tmp"), "/dev/shm"):  # noqa: S108 - the box's own
            path = f"{folder}/intruder-{os.getpid()}"
            try:
                with open(path, "wb") as file:  # noqa: PTH123 - pathlib is slow to import
                    for _ in range(self.disk // 4096 + 2):
                        file.write(bytes(4096))
                        file.flush()
            except OSError:
                continue
            return f"filled {folder}"
        return ""

    def survivor(self) -> str:
        """Leave a process behind, in a session of its own, that ignores what it can."""
        import signal

        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                    signal.signal(number, signal.SIG_IGN)
                # Whoever holds the other end of descriptor 3 sees when this process has ended.
                for descriptor in range(3):
                    os.close(descriptor)
                while True:
                    signal.pause()
            os._exit(0)
        os.wait()
        return ""

    def _opened(self, path: str) -> str:
        # In a process namespace of its own, this process may have the number that the launcher has outside.
        if path.startswith(f"/proc/{os.getpid()}/"):
            return ""
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            return ""
        return f"opened {path}"


def _creates(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except OSError:
        return False
    os.unlink(path)  # noqa: PTH108 - pathlib is slow to import
    return True


def main(words: list[str]) -> None:
    """Try the claims named in the arguments."""
    intruder = Intruder(words)
    for name in words[7:]:
        attempt: Callable[[], str] = getattr(intruder, name)
        found = attempt()
        print(f"{name} broken {found}" if found else f"{name} held", flush=True)  # noqa: T201 - its report


if __name__ == "__main__":
    main(sys.argv[1:])
