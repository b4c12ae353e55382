"""The private folder that a copy lies in, for as long as it is needed."""

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labrunner.errors import MachineError

_PREFIX = "labrunner-submission-"


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder that only this user may enter; it goes with the block, whatever was made of its content.

    It is locked for as long as its process lives, so that those which a killed process left behind can be
    told from those in use; the former are removed here. Raises MachineError when none can be made.
    """
    top = Path(tempfile.gettempdir())
    try:
        for leftover in top.glob(f"{_PREFIX}*"):
            _sweep(leftover)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=top))
    except OSError as error:
        raise MachineError(
            f"{top}: no folder for a submission can be made in it: {error.strerror}",
            hint="make space in it, or set TMPDIR to a folder you may write to",
        ) from None
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Where the file system knows no locks, leftovers stay: they are in nobody's way.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def _sweep(leftover: Path) -> None:
    with suppress(OSError):
        lock = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(lock).st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(leftover)
        finally:
            os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder with everything in it, as far as the system allows.

    A program that ran in it may have nested folders deeper than Python's stack is, or taken away its own
    rights: so every folder is made accessible, and moved to the top before it is emptied.
    """
    waiting = [folder]
    while waiting:
        emptied = waiting.pop()
        with suppress(OSError):
            for entry in list(os.scandir(emptied)):
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        Path(entry).chmod(stat.S_IRWXU)
                        waiting.append(Path(entry).rename(folder / secrets.token_hex(16)))
                    else:
                        Path(entry).unlink()
        if emptied != folder:
            with suppress(OSError):
                emptied.rmdir()
    with suppress(OSError):
        folder.rmdir()
