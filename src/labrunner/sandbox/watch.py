"""Looks at a box from within while its program runs: memory, processes, disk, time.

The supervisor of a box loads this file too, outside the package: it imports what costs next to nothing.
"""

from __future__ import annotations

import os
import resource
import select
import time

# Importing typing would cost as much as starting the interpreter.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    Spec = dict[str, Any]

    class Parent(Protocol):
        """The conversation with the parent; what it says is waited for together with other events."""

        poller: select.poll

        def heard(self, timeout_s: float | None) -> list[str] | None:
            """What the parent said, None once it is gone."""

        def hand_out_socket(self, family: int) -> None:
            """Give the parent a socket of this network."""


_QUICK_S, _USUAL_S, _QUICK_FOR_S = 0.01, 0.025, 1.0
# Watching may take one part in this many of this process's time.
_WATCH_SHARE = 10


class Watch:
    """Looks at the box from within, often, and says when it must end."""

    def __init__(self, spec: Spec, program: int) -> None:
        self._spec = spec
        self._program = program
        self.reaped: dict[int, tuple[int, resource.struct_rusage]] = {}
        self._begun = time.monotonic()
        self._peak = 0
        self._hits: set[str] = set()

    def run(self, parent: Parent) -> str:
        """Watch until the program has ended or must; why it must, or `-`."""
        descriptor = os.pidfd_open(self._program) if hasattr(os, "pidfd_open") else None
        if descriptor is not None:
            parent.poller.register(descriptor, select.POLLIN)
        deadline = self._begun + self._spec["time_s"]
        look = self._begun
        while True:
            now = time.monotonic()
            if now >= look:
                if cause := self._look():
                    return cause
                took = time.monotonic() - now
                pause = _QUICK_S if now - self._begun < _QUICK_FOR_S else _USUAL_S
                look = now + took + max(pause, _WATCH_SHARE * took)
            said = parent.heard(min(look, deadline) - time.monotonic())
            self._reap()
            if self._program in self.reaped:
                return "-"
            if cause := self._obey(said, parent):
                return cause
            if time.monotonic() >= deadline:
                return "time"

    def _obey(self, said: list[str] | None, parent: Parent) -> str:
        """Do what the parent says; why the box must end, or nothing."""
        if said is None:
            return "abandoned"
        for words in said:
            if words == "end":
                return "told"
            what, number = words.split()
            if what == "signal":
                os.kill(self._program, int(number))
            else:
                parent.hand_out_socket(int(number))
        return ""

    def account(self, cause: str) -> str:
        """The last line: all that is known of how the program ended."""
        status, usage = self.reaped[self._program]
        if status or cause != "-":
            self._hits.update(hit for hit in (self._full(), self._long_file()) if hit)
        peak = max(self._peak, usage.ru_maxrss * (1024 if os.uname().sysname == "Linux" else 1))
        milliseconds = int((usage.ru_utime + usage.ru_stime) * 1000)
        return f"ended {status} {cause} {peak} {milliseconds} {','.join(sorted(self._hits)) or '-'}"

    def _reap(self) -> None:
        try:
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self._program:
                    self.reaped[pid] = (status, usage)
        except ChildProcessError:
            return

    def _look(self) -> str:
        """The limit that the box is over, or nothing."""
        pids = inhabitants() if self._spec["level"] == "strict" else descendants(os.getpid())
        tasks, resident = 0, 0
        for pid in pids:
            resident += _resident(pid)
            tasks += _count(f"/proc/{pid}/task")
        if resident > self._spec["memory_bytes"]:
            # Pages that several processes share were counted for each; the exact figure costs more.
            resident = sum(_proportional(pid) for pid in pids)
        self._peak = max(self._peak, resident)
        if _count(f"/proc/{self._program}/fd") >= self._spec["descriptors_at_most"]:
            self._hits.add("descriptors")
        if tasks >= self._spec["processes"]:
            self._hits.add("processes")
        if resident > self._spec["memory_bytes"]:
            return "memory"
        if tasks > self._spec["processes"]:
            return "processes"
        return "disk" if self._over_disk() else ""

    def _over_disk(self) -> bool:
        for path, entries in self._spec["tmpfs"]:
            state = os.statvfs(path)
            if state.f_files - state.f_ffree > entries:
                return True
        return any(_over(path, size, entries) for path, size, entries in self._spec["folders"])

    def _full(self) -> str:
        states = [os.statvfs(path) for path, _ in self._spec["tmpfs"]]
        return "disk" if any(state.f_bavail == 0 for state in states) else ""

    def _long_file(self) -> str:
        for path in (*(path for path, _ in self._spec["tmpfs"]), *(row[0] for row in self._spec["folders"])):
            if any(size >= self._spec["file_bytes"] for size, _ in _files(path)):
                return "file"
        return ""


def inhabitants() -> list[str]:
    """All processes that a strict box has, but for the supervisor."""
    return [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]  # noqa: PTH208 - names


def descendants(pid: int) -> list[str]:
    """The ids of all processes that descend from one."""
    found: list[str] = []
    ahead = [str(pid)]
    while ahead:
        parent = ahead.pop()
        children: list[str] = []
        for task in _names(f"/proc/{parent}/task"):
            children += _words(f"/proc/{parent}/task/{task}/children")
        found += children
        ahead += children
    return found


def _words(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs more to import than all the rest
            return file.read().decode().split()
    except OSError:
        return []


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)  # noqa: PTH208 - as above
    except OSError:
        return []


def _count(path: str) -> int:
    return len(_names(path))


def _proportional(pid: str) -> int:
    """A process's share of the memory it has that is not of files, in bytes; all where it hides the share."""
    words = _words(f"/proc/{pid}/smaps_rollup")
    shares = [
        int(words[words.index(name) + 1]) * 1024 for name in ("Pss_Anon:", "Pss_Shmem:") if name in words
    ]
    return sum(shares) if shares else _resident(pid)


def _resident(pid: str) -> int:
    words = _words(f"/proc/{pid}/statm")
    return int(words[1]) * resource.getpagesize() if words else 0


def _over(path: str, size: int, entries: int) -> bool:
    for _, blocks in _files(path):
        size -= blocks * 512
        entries -= 1
        if size < 0 or entries < 0:
            return True
    return False


def _files(path: str) -> Iterator[tuple[int, int]]:
    """Size and blocks of everything in a folder, however deep; what vanishes or is closed is passed over."""
    ahead = [path]
    while ahead:
        try:
            with os.scandir(ahead.pop()) as entries:
                for entry in entries:
                    state = entry.stat(follow_symlinks=False)
                    yield state.st_size, state.st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        ahead.append(entry.path)
        except OSError:
            continue
