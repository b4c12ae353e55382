"""As whom a box's program runs when labrunner runs as root, and how that account reaches its files."""

import ctypes
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

# Ids that no distribution gives to a user, a service or a container; the second is for machines that are
# containers themselves and have 65 536 ids.
_RANGES = ((1_879_048_192, 2_147_352_575), (61_184, 65_519))
_CLONE_NEWNS = 0x20000
_MS_REC, _MS_PRIVATE, _MS_BIND, _MS_NOSUID, _MS_NODEV = 0x4000, 1 << 18, 0x1000, 2, 4


def new_account() -> int | None:
    """A user and group id for one box alone, drawn at random; None when this process is not root.

    None too where only root's own id exists (a container of a single user), who is nobody special outside.
    """
    if os.getuid() != 0 or sys.platform != "linux":
        return None
    for first, last in _RANGES:
        if _mapped("uid", first, last) and _mapped("gid", first, last):
            return first + secrets.randbelow(last - first + 1)
    return None


def _mapped(kind: str, first: int, last: int) -> bool:
    """Whether all these ids exist in this process's user namespace."""
    rows = [tuple(map(int, line.split())) for line in _table(kind).splitlines()]
    return any(row[0] <= first and last < row[0] + row[2] for row in rows)


def _table(kind: str) -> str:
    return Path(f"/proc/self/{kind}_map").read_text(encoding="ascii")


def tasks_of(uid: int) -> int:
    """How many processes and threads this user has now, on the whole machine."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += len(os.listdir(f"{entry.path}/task"))  # noqa: PTH208 - names are enough
        except OSError:
            continue
    return count


def give(folder: Path, account: int) -> None:
    """Make the account the owner of a folder and of everything in it; links are not followed."""
    os.chown(folder, account, account, follow_symlinks=False)
    for _, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            os.chown(name, account, account, dir_fd=descriptor, follow_symlinks=False)


def closed_ways(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The folders above these paths that an ordinary account may not pass, outermost alone."""
    closed: list[Path] = []
    for path in paths:
        for ancestor in reversed(path.absolute().parents):
            if ancestor in closed:
                break
            if not ancestor.stat().st_mode & stat.S_IXOTH:
                closed.append(ancestor)
                break
    return tuple(closed)


def is_closed(path: Path) -> bool:
    """Whether an ordinary account may not read this file, or not enter and list this folder."""
    needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    return path.stat().st_mode & needed != needed


def open_ways(closed: Sequence[Path], paths: Sequence[Path], account: int | None) -> None:
    """Between fork and exec: in mounts of its own, show `paths` alone where closed folders were.

    Then become the account, if there is one. Nothing of it is seen outside, and it is gone with the last
    process that has it. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.unshare(_CLONE_NEWNS))
    _mount(libc, "none", "/", None, _MS_REC | _MS_PRIVATE)
    beneath = [path for path in paths if any(path.is_relative_to(folder) for folder in closed)]
    held = [(path, os.open(path, os.O_PATH)) for path in sorted(beneath)]
    for folder in closed:
        _mount(libc, "none", str(folder), "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=1m")
    for path, descriptor in held:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=True)
        _mount(libc, f"/proc/self/fd/{descriptor}", str(path), None, _MS_BIND | _MS_REC)
        os.close(descriptor)
    if account is not None:
        os.setgroups([])
        os.setgid(account)
        os.setuid(account)


def _mount(
    libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind, data)]
    _checked(libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]))


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
