"""What a file is by its mode bits, and what is said of one that is not taken in."""

import stat

UNKNOWN = "is neither a file nor a folder"

_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID
_WHY = {
    stat.S_IFLNK: "is a link",
    stat.S_IFIFO: "is a pipe",
    stat.S_IFSOCK: "is a socket",
    stat.S_IFCHR: "is a device",
    stat.S_IFBLK: "is a device",
}


def complaint(mode: int) -> str | None:
    """Why a file with these mode bits is not taken in, or None for a plain file or folder.

    A mode without a type is a plain file's.
    """
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFDIR:
        # Folders that a group shares pass the group on: a bit that is harmless, and dropped.
        return None
    if kind in {0, stat.S_IFREG}:
        return "would run with its owner's rights (setuid or setgid)" if mode & _SPECIAL_BITS else None
    return _WHY.get(kind, UNKNOWN)


def is_executable(mode: int) -> bool:
    """Whether its owner may run it."""
    return bool(mode & stat.S_IXUSR)
