"""The learner's folder: made in one step, and found again from anywhere inside."""

import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labrunner import scaffold
from labrunner.errors import LabrunnerError, MachineError, UsageError
from labrunner.model import Lab, Workspace

FORMAT = 1

_RECORD = Path(scaffold.RESERVED, "workspace.json")
_RECORD_BYTES = 65_536
_STAGING = ".labrunner-start-"
_ELSEWHERE = "choose another folder with --to DIR"
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_SUCH_PLACE = (errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ENOTEMPTY)


def create(lab: Lab, target: Path) -> Workspace:
    """Make the learner's folder at `target`: either the whole of it, or nothing.

    `target` may be missing, with its parents, or an empty folder. Raises UsageError when it is anything else
    or may not be written, MachineError when this machine cannot write it, and AuthoringError when the lab's
    starter cannot be handed out.
    """
    try:
        folder = _place(target)
        if folder.is_dir():
            _fill(folder, lab)
        else:
            with _parents(folder), _staging(folder.parent) as built:
                _build(lab, built)
                built.rename(folder)
                _sync_folder(folder.parent)
    except OSError as error:
        raise _refusal(error, target) from None
    return Workspace(folder, lab.slug, lab.hash)


def find(path: Path) -> Workspace:
    """The workspace that `path` is, or lies in; the nearest one.

    Raises UsageError when `path` does not exist, lies in no workspace, or lies in one whose record is damaged
    or newer than this version.
    """
    try:
        start = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path} cannot be opened: {why}", hint="name an existing folder") from None
    for folder in (start, *start.parents):
        if os.path.lexists(folder / _RECORD):
            return _recorded(folder)
    raise UsageError(
        f"{start} is not in a workspace",
        hint="make one with `labrunner start SLUG`, and run the command inside of it",
    )


# ── making ──────────────────────────────────────────────────────────────────────────────────────


def _place(target: Path) -> Path:
    """Where the workspace will be, as an absolute path without links."""
    try:
        if target.is_symlink():
            raise UsageError(f"{target} is a link", hint=_ELSEWHERE)
        folder = target.resolve()
    except RuntimeError as error:  # a circle of links
        raise UsageError(f"{target} cannot be made: {error}", hint=_ELSEWHERE) from None
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint=_ELSEWHERE)
    return folder


def _fill(folder: Path, lab: Lab) -> None:
    """Build inside the empty folder and move everything up.

    The folder itself stays, because a terminal or an editor may already be in it.
    """
    names = _names(folder)
    if any(not name.startswith(_STAGING) for name in names):
        _refuse_content(folder, names)
    with _staging(folder) as built:
        _refuse_content(folder, [name for name in _names(folder) if name != built.parent.name])
        _build(lab, built)
        moved: list[Path] = []
        try:
            # The record comes last: with it the folder is a workspace, without it it is none.
            for entry in sorted(built.iterdir(), key=lambda path: path.name == scaffold.RESERVED):
                moved.append(folder / entry.name)
                entry.rename(moved[-1])
        except BaseException:
            for entry in moved:
                with suppress(OSError):
                    entry.rename(built / entry.name)
            raise
        _sync_folder(folder)


def _refuse_content(folder: Path, names: list[str]) -> None:
    if names:
        started = any(name.startswith(_STAGING) for name in names)
        why = ": another start is at work in it, or was interrupted" if started else ""
        raise UsageError(f"{folder} is not empty{why}", hint=_ELSEWHERE)


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def _build(lab: Lab, folder: Path) -> None:
    scaffold.render(lab, folder)
    record = folder / _RECORD
    record.parent.mkdir()
    content = {"format": FORMAT, "lab": lab.slug, "lab_hash": lab.hash}
    record.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync(Path(parent, name))
        _sync_folder(Path(parent))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems can sync files only
        _sync(folder)


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """The folder's parents exist inside of the block; those made for it go again when the block fails."""
    made: list[Path] = []
    try:
        for parent in reversed(folder.parents):
            if not parent.exists():
                parent.mkdir()
                made.append(parent)
        yield
    except BaseException:
        for parent in reversed(made):
            with suppress(OSError):
                parent.rmdir()
        raise


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A path to build at, inside a hidden folder in `folder` that goes with the block.

    The hidden folder is locked for as long as its process lives, so that those which a killed process left
    behind can be told from those in use; the former are removed here.
    """
    for name in _names(folder):
        if name.startswith(_STAGING):
            _sweep(folder / name)
    hidden = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
    lock = os.open(hidden, os.O_RDONLY)
    try:
        # Where the file system knows no locks, leftovers stay: they are in nobody's way.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield hidden / "workspace"
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        os.close(lock)


def _sweep(leftover: Path) -> None:
    with suppress(OSError):
        lock = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover)
        finally:
            os.close(lock)


def _refusal(error: OSError, target: Path) -> LabrunnerError:
    if error.errno in _NOT_ALLOWED:
        return UsageError(f"{target} may not be written: {error.strerror}", hint=_ELSEWHERE)
    if error.errno in _NO_SUCH_PLACE:
        return UsageError(f"{target} cannot be made: {error.strerror}", hint=_ELSEWHERE)
    return MachineError(
        f"{target} could not be written: {error.strerror}",
        hint="make sure that the disk works and has space, or choose another folder with --to DIR",
    )


# ── finding ─────────────────────────────────────────────────────────────────────────────────────


def _recorded(folder: Path) -> Workspace:
    record = folder / _RECORD
    content = _content(record)
    made = content.get("format")
    if type(made) is int and made > FORMAT:
        raise UsageError(
            f"{record}: made by a newer labrunner (format {made}, this one reads {FORMAT})",
            hint="upgrade labrunner",
        )
    if type(made) is not int or made != FORMAT:
        raise _damaged(record, f"expected format {FORMAT}")
    slug, lab_hash = content.get("lab"), content.get("lab_hash")
    if not isinstance(slug, str) or not isinstance(lab_hash, str):
        raise _damaged(record, "expected the texts `lab` and `lab_hash`")
    return Workspace(folder, slug, lab_hash)


def _content(record: Path) -> dict[str, object]:
    try:
        found = record.lstat()
        # Anything but a short plain file could keep the reader waiting for ever.
        if not stat.S_ISREG(found.st_mode) or found.st_size > _RECORD_BYTES:
            raise _damaged(record, f"expected a plain file of at most {_RECORD_BYTES} bytes")
        content = json.loads(record.read_bytes())
    except OSError as error:
        raise _damaged(record, str(error.strerror)) from None
    except (ValueError, RecursionError):
        raise _damaged(record, "expected JSON") from None
    if not isinstance(content, dict):
        raise _damaged(record, "expected a JSON object")
    return content


def _damaged(record: Path, complaint: str) -> UsageError:
    return UsageError(
        f"{record} is damaged: {complaint}",
        hint="make a new workspace with `labrunner start SLUG --to DIR`, and copy your files into it",
    )
