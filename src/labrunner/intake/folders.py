"""A submission that is a folder."""

import contextlib
import os
import stat
from collections.abc import Iterator

from labrunner.intake.copy import Copy, too_many
from labrunner.intake.kinds import complaint, is_executable
from labrunner.intake.limits import IntakeLimits
from labrunner.intake.names import Parts, check_characters, check_path, decoded
from labrunner.intake.refusal import refused

_CHUNK = 1 << 16
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe put in a file's place must not keep the reader waiting.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def copy_folder(descriptor: int, copy: Copy, limits: IntakeLimits) -> None:
    """Copy the open folder's content; SubmissionError for anything but plain files and folders.

    Each step is taken from an open folder and never through a link, so whoever changes the folder meanwhile
    changes what is copied, never where it comes from.
    """
    _copy_below(descriptor, (), os.fstat(descriptor).st_uid, copy, limits)


def _copy_below(descriptor: int, above: Parts, owner: int, copy: Copy, limits: IntakeLimits) -> None:
    for name in _names(descriptor, above, limits):
        parts = (*above, decoded(os.fsencode(name)))
        check_characters("/".join(parts))
        if not copy.wanted(parts):
            continue
        check_path(parts, limits)
        with _reading(parts):
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        why = complaint(found.st_mode)
        if why:
            raise refused("/".join(parts), why)
        if stat.S_ISDIR(found.st_mode):
            copy.add_folder(parts)
            with _opened(name, _FOLDER, descriptor, parts) as folder:
                _copy_below(folder, parts, owner, copy, limits)
        else:
            with _opened(name, _FILE, descriptor, parts) as file:
                _copy_file(file, parts, owner, copy)


def _copy_file(file: int, parts: Parts, owner: int, copy: Copy) -> None:
    found = os.fstat(file)
    # Between the look and the opening, the name may have been given to something else.
    if not stat.S_ISREG(found.st_mode):
        raise _changed(parts)
    # Who may not read a file may still be able to give it a second name.
    if found.st_nlink > 1 and found.st_uid != owner:
        raise refused("/".join(parts), "is a second name of another user's file")
    copy.check_size(parts, found.st_size)
    copy.add_file(parts, _chunks(file, parts), executable=is_executable(found.st_mode))


def _names(descriptor: int, above: Parts, limits: IntakeLimits) -> list[str]:
    names = []
    with _reading(above), os.scandir(descriptor) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) > limits.seen:
                raise too_many(limits.seen)
    return sorted(names)


def _chunks(file: int, parts: Parts) -> Iterator[bytes]:
    while True:
        with _reading(parts):
            chunk = os.read(file, _CHUNK)
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def _opened(name: str, flags: int, folder: int, parts: Parts) -> Iterator[int]:
    with _reading(parts):
        descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _reading(parts: Parts) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise refused("/".join(parts) or ".", "may not be read", hint="let its reader read it") from None
    except OSError as error:
        raise refused("/".join(parts) or ".", f"cannot be read: {error.strerror}") from None


def _changed(parts: Parts) -> Exception:
    return refused("/".join(parts), "was changed while it was read", hint="hand it in again")
