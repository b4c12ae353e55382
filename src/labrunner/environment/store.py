"""Finished environments on the disk, one for each distinct set, and the keys that lead to them.

`sets/NAME` is an environment, NAME a hash of everything that it was made from. `keys/KEY` is a link to one,
KEY a hash of the files that it was asked for with, so a known set is found without a package manager.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labrunner.environment.parts import Progress
from labrunner.errors import MachineError

# The last file that is written: what has none was not finished.
RECORD = "labrunner.json"

_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Store:
    """The environments below `folder`, which is made when something is put there."""

    folder: Path

    @property
    def sets(self) -> Path:
        return self.folder / "sets"

    def find(self, key: str, probe: str) -> Path | None:
        """The environment that `key` leads to, or None. `probe` is a path in it that must be there."""
        try:
            name = (self.folder / "keys" / key).readlink().name
        except OSError:
            return None
        found = self.sets / name
        return found if _is_whole(found, probe) else None

    def make(
        self, key: str, name: str, probe: str, build: Callable[[Path, int], None], progress: Progress
    ) -> Path:
        """The environment `name`, built unless it is there, and found by `key` from now on.

        `build` is called with an empty folder, which becomes the environment by being renamed, and with a
        descriptor that carries the lock. Whoever else asks for the same meanwhile waits.
        """
        try:
            (self.folder / "keys").mkdir(parents=True, exist_ok=True)
            self.sets.mkdir(exist_ok=True)
            target = self.sets / name
            if not _is_whole(target, probe):
                with _locked(self.sets / f"{name}.lock", progress) as lock:
                    if not _is_whole(target, probe):
                        self._build(target, lambda staging: build(staging, lock))
            _point(self.folder / "keys" / key, Path("..", "sets", name))
        except OSError as error:
            raise MachineError(
                f"{self.folder}: an environment cannot be made here: {error.strerror}",
                hint="make space in it, or set LABRUNNER_HOME to a folder you may write to",
            ) from error
        return target

    def _build(self, target: Path, build: Callable[[Path], None]) -> None:
        # Whoever holds the lock is alone, so what others left unfinished is in nobody's use.
        for leftover in self.sets.glob(f".{target.name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=self.sets))
        try:
            staging.chmod(0o755)
            build(staging)
            (staging / RECORD).write_text(
                json.dumps({"format": 1, "set": target.name}) + "\n", encoding="ascii"
            )
            if target.exists():
                target.rename(staging / "broken")
            staging.rename(target)
            shutil.rmtree(target / "broken", ignore_errors=True)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def digest(parts: Sequence[str | bytes | None]) -> str:
    """A hash of these parts, and of where each ends."""
    hashed = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        hashed.update(b"-" if content is None else b"%d:" % len(content) + content)
    return hashed.hexdigest()[:_DIGITS]


def _is_whole(folder: Path, probe: str) -> bool:
    # The probe may be a link to an interpreter that is gone.
    return (folder / RECORD).is_file() and (folder / probe).exists()


def _point(link: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".", dir=link.parent) as folder:
        staged = Path(folder, "link")
        staged.symlink_to(target)
        staged.replace(link)


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[int]:
    """Hold a file's lock; the descriptor that carries it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another labrunner, which is installing the same packages")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
