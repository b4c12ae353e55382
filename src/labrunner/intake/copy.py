"""The private copy while it is being written."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from labrunner.errors import MachineError
from labrunner.intake.limits import IntakeLimits, counted, in_words
from labrunner.intake.names import Parts, check_path, folded, is_junk
from labrunner.intake.refusal import SubmissionError, refused, shown

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_PROGRAM_MODE = 0o700
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Copy:
    """Writes plain files and folders below `folder`, within the limits, each path once.

    Every path is checked here, whatever it was read from. `left_out` counts the entries that tools made.
    """

    def __init__(self, folder: Path, limits: IntakeLimits) -> None:
        self.folder = folder
        self.left_out = 0
        self._limits = limits
        self._seen = 0
        self._bytes = 0
        # By folded path: as it was spelled, and whether it is a folder.
        self._taken: dict[str, tuple[str, bool]] = {}
        self._folders: set[Parts] = set()

    def wanted(self, parts: Parts) -> bool:
        """Count an entry, and say whether it belongs in the copy; SubmissionError when there are too many."""
        self._seen += 1
        if self._seen > self._limits.seen:
            raise too_many(self._limits.seen)
        if is_junk(parts):
            self.left_out += 1
            return False
        return bool(parts)

    def add_folder(self, parts: Parts) -> None:
        """Make a folder, and those above it; one that is there already stays."""
        check_path(parts, self._limits)
        self._claim_folders(parts)

    def add_file(self, parts: Parts, chunks: Iterable[bytes], *, executable: bool) -> None:
        """Write a file, and make the folders above it."""
        check_path(parts, self._limits)
        self._claim_folders(parts[:-1])
        self._claim(parts, is_folder=False)
        # A hook of git's that cannot be executed is data.
        mode = _PROGRAM_MODE if executable and not _in_git(parts) else _FILE_MODE
        path = self.folder.joinpath(*parts)
        with _writing():
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            size = 0
            for chunk in chunks:
                size += len(chunk)
                self._count(parts, size, len(chunk))
                _write(file, chunk)
        finally:
            os.close(file)

    def check_size(self, parts: Parts, size: int) -> None:
        """Raise SubmissionError when a file of this size is too large to be taken in."""
        if size > self._limits.file_bytes:
            raise refused("/".join(parts), f"is larger than {in_words(self._limits.file_bytes)}")

    def _count(self, parts: Parts, size: int, more: int) -> None:
        self.check_size(parts, size)
        self._bytes += more
        if self._bytes > self._limits.total_bytes:
            raise SubmissionError(
                f"the submission holds more than {in_words(self._limits.total_bytes)}",
                hint="hand in what you wrote, without data that programs made",
            )

    def _claim_folders(self, parts: Parts) -> None:
        if parts in self._folders:
            return
        for end in range(1, len(parts) + 1):
            if self._claim(parts[:end], is_folder=True):
                with _writing():
                    self.folder.joinpath(*parts[:end]).mkdir(_FOLDER_MODE)
        self._folders.add(parts)

    def _claim(self, parts: Parts, *, is_folder: bool) -> bool:
        """Whether the path is new; SubmissionError when something else has it."""
        path = "/".join(parts)
        key = folded(path)
        taken = self._taken.get(key)
        if taken is None:
            if len(self._taken) == self._limits.entries:
                raise too_many(self._limits.entries)
            self._taken[key] = (path, is_folder)
            return True
        first, was_folder = taken
        if first != path:
            raise refused(path, f"and {shown(first)} are one name where case or Unicode form do not count")
        if was_folder != is_folder:
            raise refused(path, "is both a file and a folder")
        if not is_folder:
            raise refused(path, "is there twice")
        return False


def too_many(limit: int) -> SubmissionError:
    """The error for a submission of more than `limit` files and folders."""
    return SubmissionError(
        f"the submission holds more than {counted(limit)} files and folders",
        hint="hand in what you wrote, without what tools and programs made",
    )


def _in_git(parts: Parts) -> bool:
    return any(part.casefold() == ".git" for part in parts)


def _write(file: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        with _writing():
            left = left[os.write(file, left) :]


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        space = error.errno in _NO_SPACE
        raise MachineError(
            f"the private copy of the submission cannot be written: {error.strerror}",
            hint=f"{'make space in' if space else 'look at'} the folder for temporary files, or set TMPDIR",
        ) from None
