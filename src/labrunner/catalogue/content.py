"""The files that a lab consists of, and the hash of their names and contents."""

import os
from collections.abc import Iterator
from pathlib import Path

from labrunner.errors import AuthoringError, MachineError

_HASH_CHARACTERS = 16


def fingerprint(root: Path, slug: str) -> str:
    """16 hexadecimal characters that change whenever the lab or its grader changes.

    Covers the names and contents of labs/SLUG and graders/SLUG. Left out: graders/SLUG/submissions,
    __pycache__ and hidden files, except in starter/, whose hidden files belong to what the learner gets.
    """
    import hashlib  # loads OpenSSL, which nothing but a hash should pay for

    digest = hashlib.sha256()
    for name in sorted([*_of_lab(root, slug), *_of_grader(root, slug)]):
        content = read(root, name)
        digest.update(b"%b %d\n%b\n" % (os.fsencode(name), len(content), content))
    return digest.hexdigest()[:_HASH_CHARACTERS]


def read(root: Path, name: str) -> bytes:
    """The bytes of the file `name`, a path below `root`; MachineError when it cannot be read."""
    try:
        return (root / name).read_bytes()
    except OSError as error:
        raise MachineError(
            f"{name} cannot be read: {error.strerror}", hint=f"look at {root / name}"
        ) from None


def names(root: Path, folder: str) -> list[str]:
    """The names in `folder`, a path below `root`, sorted; MachineError when it cannot be listed."""
    try:
        return sorted(entry.name for entry in (root / folder).iterdir())
    except OSError as error:
        raise _unreadable(root, folder, error) from None


def _unreadable(root: Path, name: str, error: OSError) -> MachineError:
    return MachineError(f"{name} cannot be read: {error.strerror}", hint=f"look at {root / name}")


def _of_lab(root: Path, slug: str) -> Iterator[str]:
    for entry in _entries(root, f"labs/{slug}"):
        yield from _files(root, entry, hidden=entry.endswith("/starter"))


def _of_grader(root: Path, slug: str) -> Iterator[str]:
    for entry in _entries(root, f"graders/{slug}"):
        if not entry.endswith("/submissions"):
            yield from _files(root, entry, hidden=False)


def _files(root: Path, name: str, *, hidden: bool) -> Iterator[str]:
    path = root / name
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise AuthoringError(
            f"{name} must be a plain file or folder, found a link or a special file",
            hint=f"replace {name} by a plain copy",
        )
    if path.is_file():
        yield name
        return
    for entry in _entries(root, name, hidden=hidden):
        yield from _files(root, entry, hidden=hidden)


def _entries(root: Path, folder: str, *, hidden: bool = False) -> Iterator[str]:
    for name in names(root, folder):
        if name != "__pycache__" and (hidden or not name.startswith(".")):
            yield f"{folder}/{name}"
