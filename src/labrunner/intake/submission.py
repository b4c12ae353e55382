"""Taking a submission in."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from labrunner.errors import UsageError
from labrunner.intake.copy import Copy
from labrunner.intake.folders import copy_folder
from labrunner.intake.limits import USUAL, IntakeLimits, in_words
from labrunner.intake.place import private_folder
from labrunner.intake.refusal import SubmissionError, printable
from labrunner.intake.streams import COMPRESSIONS, Meter, Source, expanded, plain
from labrunner.intake.tars import BLOCK, copy_tar, is_tar
from labrunner.intake.zips import copy_zip, is_zip

_RECORD = (".labrunner", "workspace.json")
_SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".txz", ".tar", ".zip")
_KINDS = "a folder, a tar (plain, gzip, bzip2 or xz) or a zip"


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission that was taken in.

    `folder` is a private copy of plain files and folders. `name` is what was handed in, by its name without
    folders and endings, safe to print. `left_out` counts the entries that tools made and the copy lacks.
    """

    folder: Path
    name: str
    left_out: int


@contextmanager
def opened(path: Path, limits: IntakeLimits = USUAL) -> Iterator[Submission]:
    """A private copy of the folder, tar or zip at `path`; it is gone with the block.

    Nothing of it is run. An archive's single top folder is entered when the workspace's record lies in it.
    Raises UsageError when `path` cannot be opened, SubmissionError when it holds what is not taken in, and
    MachineError when the copy cannot be written.
    """
    with private_folder() as private:
        copy = Copy(private / "content", limits)
        copy.folder.mkdir(mode=stat.S_IRWXU)
        try:
            is_archive = _copy(path, copy, limits)
        except SubmissionError as error:
            raise SubmissionError(f"{_words(path)}: {error}", hint=error.hint) from None
        folder = _entered(copy.folder) if is_archive else copy.folder
        yield Submission(folder, _name(path, is_archive=is_archive), copy.left_out)


def _copy(path: Path, copy: Copy, limits: IntakeLimits) -> bool:
    """Copy what is at the path, and say whether that is an archive."""
    try:
        # A pipe at the path must not keep the reader waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{_words(path)} cannot be opened: {why}", hint=f"name {_KINDS}") from None
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            copy_folder(descriptor, copy, limits)
            return False
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{_words(path)} is neither a file nor a folder", hint=f"name {_KINDS}")
        if found.st_size > limits.archive_bytes:
            raise SubmissionError(
                f"the archive is larger than {in_words(limits.archive_bytes)}",
                hint="hand in what you wrote, without data that programs made",
            )
        with open(descriptor, "rb", closefd=False) as file:
            _copy_archive(file, copy, limits)
        return True
    finally:
        os.close(descriptor)


def _copy_archive(file: BinaryIO, copy: Copy, limits: IntakeLimits) -> None:
    """Copy the content of an archive, told by how it begins: a name's ending may say anything."""
    start = file.read(BLOCK)
    file.seek(0)
    if is_zip(start):
        copy_zip(file, copy, limits)
        return
    for compression in COMPRESSIONS:
        if start.startswith(compression.magic):
            copy_tar(Source(expanded(file, compression, Meter(limits))), copy)
            return
    if not is_tar(start):
        raise SubmissionError(
            f"expected {_KINDS}, found something else", hint="pack the folder as a tar or zip"
        )
    copy_tar(Source(plain(file, Meter(limits))), copy)


def _entered(folder: Path) -> Path:
    """The single folder at the top, when the workspace's record lies in it and not beside it."""
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].joinpath(*_RECORD).is_file():
        return inside[0]
    return folder


def _name(path: Path, *, is_archive: bool) -> str:
    name = path.absolute().name
    if is_archive:
        ending = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
        name = name[: len(name) - len(ending)]
    return printable(name)


def _words(path: Path) -> str:
    return printable(str(path))
