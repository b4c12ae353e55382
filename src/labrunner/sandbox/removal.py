"""Removes a folder that a hostile program had for itself: closed, deep beyond every path, full of links."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def remove(folder: Path | str) -> None:
    """Remove a folder with all that is in it; no link is followed and no depth is too much.

    Whoever wrote it must be gone. The supervisor of a box loads this file too, outside the package.
    Raises OSError when something in it cannot be removed.
    """
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        prefix, count = f".{os.urandom(8).hex()}-", 0
        while names := os.listdir(top):  # noqa: PTH208 - relative to a descriptor
            for name in names:
                count = _flatten(top, name, prefix, count)
    finally:
        os.close(top)
    os.rmdir(folder)  # noqa: PTH106 - pathlib is slow to import


def _flatten(top: int, name: str, prefix: str, count: int) -> int:
    """Remove a file, or lift the folders in a folder to the top and remove it; how many were lifted."""
    try:
        os.unlink(name, dir_fd=top)
    except (IsADirectoryError, PermissionError):
        pass
    else:
        return count
    os.chmod(name, 0o700, dir_fd=top)
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for child in os.listdir(inner):  # noqa: PTH208 - relative to a descriptor
            try:
                os.unlink(child, dir_fd=inner)
            except (IsADirectoryError, PermissionError):
                # A folder that is moved must be writable itself.
                os.chmod(child, 0o700, dir_fd=inner)
                os.rename(child, f"{prefix}{count}", src_dir_fd=inner, dst_dir_fd=top)
                count += 1
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
    return count
