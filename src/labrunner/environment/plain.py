"""Reading a file that somebody else may have put there."""

import os
import stat
from pathlib import Path


def content(path: Path, limit: int) -> bytes | None:
    """The bytes of a plain file, or None for anything else and for more than `limit` bytes.

    Nothing can keep the reader waiting, and no link is followed. Raises OSError when it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(descriptor)
