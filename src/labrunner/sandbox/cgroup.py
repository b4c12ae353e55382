"""Bounds a whole box by a control group, where this process may make one: version 2 delegated to it, or 1."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labrunner.sandbox.box import MB, Limits
from labrunner.waiting import poll

ROOT = Path("/sys/fs/cgroup")
# The supervisor, bubblewrap and what the kernel keeps for a box.
_OWN_BYTES = 48 * MB
_OWN_PROCESSES = 4
_EMPTY_S = 5.0


@dataclass(frozen=True, slots=True)
class Group:
    """The folders of one box's control group: one in version 2, one for each controller in version 1."""

    memory: Path
    pids: Path
    version: int

    def add(self, pid: int) -> None:
        """Move a process into the group; what it starts from then on is in it too."""
        with contextlib.suppress(ProcessLookupError):
            for folder in {self.memory, self.pids}:
                (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def members(self) -> frozenset[int]:
        """The processes in it now."""
        return frozenset(int(word) for word in (self.pids / "cgroup.procs").read_text("ascii").split())

    def hits(self) -> frozenset[str]:
        """Which of `memory` and `processes` the kernel enforced so far."""
        memory = "memory.events" if self.version == 2 else "memory.oom_control"  # noqa: PLR2004 - its name
        found = {
            "memory": _number(self.memory / memory, "oom_kill"),
            "processes": _number(self.pids / "pids.events", "max"),
        }
        return frozenset(name for name, count in found.items() if count)


@contextmanager
def group(limits: Limits, *, name: str, root: Path = ROOT) -> Iterator[Group | None]:
    """A control group with these limits to the end of the block; None where none can be made.

    `name` is `labrunner-PID-…` with the process id of whoever makes it. What is still in it at the end is
    ended.
    """
    made = _made(limits, name, root)
    try:
        yield made
    finally:
        if made:
            _remove(made)


def _made(limits: Limits, name: str, root: Path) -> Group | None:
    for version, memory, pids in _places(root):
        _forget(memory, pids)
        found = Group(memory / name, pids / name, version)
        try:
            for folder in {found.memory, found.pids}:
                folder.mkdir()
            _set(found, limits)
        except OSError:
            _remove(found)
            continue
        return found
    return None


def _places(root: Path) -> Iterator[tuple[int, Path, Path]]:
    """Where groups with both controllers may be made: the version, and the folder for each controller."""
    own = _own(root)
    if own is not None:
        # A group that has processes can have no groups with controllers, so ours stands beside our own.
        for parent in (own, own.parent):
            enabled = parent / "cgroup.subtree_control"
            if enabled.exists() and {"memory", "pids"} <= set(enabled.read_text("ascii").split()):
                yield 2, parent, parent
    if (root / "memory/cgroup.procs").exists() and (root / "pids/cgroup.procs").exists():
        yield 1, root / "memory", root / "pids"


def _own(root: Path) -> Path | None:
    """This process's own folder in version 2."""
    if not (root / "cgroup.controllers").exists():
        return None
    for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
        if line.startswith("0::"):
            return root / line.removeprefix("0::").lstrip("/")
    return None


def _set(made: Group, limits: Limits) -> None:
    # Files in memory are memory too: the temporary folder and shared memory, each up to `disk_bytes`.
    size = limits.memory_bytes + 2 * limits.disk_bytes + _OWN_BYTES
    names = ("memory.max", "memory.swap.max") if made.version == 2 else ("memory.limit_in_bytes",)  # noqa: PLR2004
    (made.memory / names[0]).write_text(str(size), encoding="ascii")
    for swap in names[1:]:
        if (made.memory / swap).exists():
            (made.memory / swap).write_text("0", encoding="ascii")
    (made.pids / "pids.max").write_text(str(limits.processes + _OWN_PROCESSES), encoding="ascii")


def _remove(made: Group) -> None:
    folders = {made.memory, made.pids}

    def gone() -> bool:
        for folder in folders:
            for pid in _members(folder):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, 9)
            with contextlib.suppress(OSError):
                folder.rmdir()
        return not any(folder.exists() for folder in folders)

    poll(gone, timeout_s=_EMPTY_S)


def _forget(*parents: Path) -> None:
    """Remove the empty groups of boxes whose parents were killed: `labrunner-PID-…`."""
    for parent in parents:
        for folder in parent.glob("labrunner-*-*"):
            if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _members(folder: Path) -> list[int]:
    try:
        return [int(word) for word in (folder / "cgroup.procs").read_text("ascii").split()]
    except OSError:
        return []


def _number(path: Path, key: str) -> int:
    for line in path.read_text("ascii").splitlines() if path.exists() else ():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0
