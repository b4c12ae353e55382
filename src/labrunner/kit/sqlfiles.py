"""The learner's SQL files, read without following anything that leads elsewhere."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from labrunner.errors import AuthoringError
from labrunner.kit.failures import Failure
from labrunner.kit.statements import SplitError, Statement, split
from labrunner.kit.values import grouped

KINDS: Final = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class Script:
    """A file of the learner's, taken apart: `path` as the lab names it, and its statements in order."""

    path: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """The learner's files in a workspace, limited to those that match the lab's patterns."""

    folder: Path
    patterns: tuple[str, ...]
    file_bytes: int

    def script(self, name: str) -> Script:
        """Return the statements of a file, at least one.

        Raises Failure, with words for the learner, if the file is missing, empty, only comments, no text, too
        large, no regular file, or reached through a link, or if it cannot be taken apart into statements.
        """
        source = self._text(name)
        try:
            statements = split(source, name)
        except SplitError as error:
            raise Failure(f"{name}, line {error.line}: {error}") from None
        if not statements:
            state = "holds only comments" if source.strip() else "is empty"
            raise Failure(f"{name} {state}", expected="at least one SQL statement", seen="none")
        return Script(name, statements)

    def query(self, name: str) -> Statement:
        """Return the one statement of a file. Raises Failure as `script` does, and if the file holds more."""
        statements = self.script(name).statements
        if len(statements) > 1:
            raise Failure(
                f"{name} holds more than one statement",
                expected="one statement",
                seen=f"{grouped(len(statements))} statements, the second one in line {statements[1].line}",
            )
        return statements[0]

    def _text(self, name: str) -> str:
        parts = name.split("/")
        if {"", ".", ".."} & set(parts) or not any(_covers(pattern, parts) for pattern in self.patterns):
            raise AuthoringError(
                f"the grader reads {name!r}, which is not among the learner's files {list(self.patterns)}",
                hint="add a pattern for it to [files] learner in lab.toml, or read a file that is there",
            )
        data = _read(self.folder, parts, self.file_bytes)
        if b"\0" in data:
            raise Failure(f"{name} is not a text file: it holds bytes that are zero")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise Failure(f"{name}, line {line}: not text in UTF-8") from None


def _covers(pattern: str, parts: list[str]) -> bool:
    """Whether a glob covers a path: `*` stays within one folder, `**` stands for any number of folders."""
    first, _, rest = pattern.partition("/")
    if first == "**":
        return any(_covers(rest or "*", parts[skipped:]) for skipped in range(len(parts)))
    if not parts or not fnmatchcase(parts[0], first):
        return False
    return _covers(rest, parts[1:]) if rest else len(parts) == 1


def _read(folder: Path, parts: list[str], file_bytes: int) -> bytes:
    name = "/".join(parts)
    try:
        with _opened(folder, parts) as descriptor, open(descriptor, "rb", closefd=False) as file:
            size = os.fstat(descriptor).st_size
            data = file.read(file_bytes + 1) if size <= file_bytes else b""
    except FileNotFoundError:
        raise Failure(
            f"{name} is missing", expected=f"a file {name} in the workspace", seen="no such file"
        ) from None
    except OSError as error:
        raise Failure(f"{name} cannot be read: {error.strerror}") from None
    # A file may hold more than its size said: it grew in between, or it is made as it is read.
    if max(size, len(data)) > file_bytes:
        raise Failure(
            f"{name} is too large",
            expected=f"at most {grouped(file_bytes)} bytes",
            seen=f"{grouped(max(size, len(data)))} bytes or more",
        )
    return data


@contextmanager
def _opened(folder: Path, parts: list[str]) -> Iterator[int]:
    """Open a regular file part by part, so that no part can be a link, not even one made in this moment."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for depth, part in enumerate(parts, start=1):
            inner = _step(descriptor, part, "/".join(parts[:depth]), is_file=depth == len(parts))
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _step(folder: int, part: str, name: str, *, is_file: bool) -> int:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (0 if is_file else os.O_DIRECTORY)
    try:
        descriptor = os.open(part, flags, dir_fd=folder)
    except OSError:
        _refuse_others(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode, name, is_file=is_file)
        raise
    try:
        _refuse_others(os.fstat(descriptor).st_mode, name, is_file=is_file)
    except Failure:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_others(mode: int, name: str, *, is_file: bool) -> None:
    if stat.S_ISREG(mode) if is_file else stat.S_ISDIR(mode):
        return
    kind = next((kind for is_kind, kind in KINDS if is_kind(mode)), "a file")
    raise Failure(f"{name} is {kind}", expected="a regular file" if is_file else "a folder", seen=kind)
