"""Writes a file whole or not at all."""

import os
from pathlib import Path

from labrunner.errors import UsageError


def write(path: Path, text: str) -> None:
    """Put `text` into `path`: after a crash at any moment it holds the old content or the new, never a part.

    Raises UsageError when it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"{path}: cannot be written: {error.strerror}",
            hint="name a file in a folder that you may write to",
        ) from error
