"""Where the names of an environment's packages are read, and who is told when they are wrong."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labrunner.environment import plain
from labrunner.environment.parts import Kind
from labrunner.errors import AuthoringError, LabrunnerError, UsageError

# Whose lock a grade run honours.
Policy = Literal["lab", "learner"]

LOCKS: dict[Kind, tuple[str, ...]] = {
    # What `uv add` writes is newer than what the lab handed out.
    "python": ("uv.lock", "requirements.lock"),
    "node": ("package-lock.json",),
}
PROJECTS: dict[Kind, str] = {"python": "pyproject.toml", "node": "package.json"}

_FILE_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """A folder with a project file and a lock. `name` is how messages call it."""

    folder: Path
    owner: Policy
    name: str

    def wrong(self, file: str, complaint: str, *, hint: str) -> LabrunnerError:
        """The error for a file of this folder: the lab's author's or the learner's to mend."""
        kind = AuthoringError if self.owner == "lab" else UsageError
        return kind(f"{self.name}/{file}: {complaint}", hint=hint)


@dataclass(frozen=True, slots=True)
class Locked:
    """A source's files as they are: the project's, and the lock's with its name; None where there is none."""

    project: bytes | None
    lock_name: str | None
    lock: bytes | None


def source(starter: Source, submission: Path, kind: Kind, policy: Policy) -> Source:
    """The folder whose lock counts: the submission's when the policy is `learner` and it has one."""
    if policy == "learner" and any(os.path.lexists(submission / name) for name in LOCKS[kind]):
        return Source(submission, "learner", "your folder")
    return starter


def read(source: Source, kind: Kind) -> Locked:
    """The source's project file and lock; an error with the remedy when they are not a pair."""
    project_name = PROJECTS[kind]
    project = _content(source, project_name)
    locks = [(name, content) for name in LOCKS[kind] if (content := _content(source, name)) is not None]
    if source.owner == "lab":
        if os.path.lexists(source.folder / f"{project_name}.j2"):
            raise source.wrong(
                f"{project_name}.j2",
                "it is read as it is, so it cannot be a template",
                hint=f"name it {project_name}",
            )
        if len(locks) > 1:
            names = " and ".join(name for name, _ in locks)
            raise source.wrong(locks[0][0], f"there are two locks, {names}", hint="keep one of the two")
    if not locks:
        return Locked(project, None, None)
    if project is None:
        raise source.wrong(
            locks[0][0],
            f"there is a lock, but no {project_name}",
            hint=f"write {project_name} with the dependencies, or remove the lock",
        )
    return Locked(project, *locks[0])


def _content(source: Source, name: str) -> bytes | None:
    """A file's bytes, or None when it is missing."""
    try:
        found = plain.content(source.folder / name, _FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise source.wrong(name, f"cannot be read: {error.strerror}", hint="make it a plain file") from None
    if found is None:
        raise source.wrong(name, f"expected a plain file of at most {_FILE_BYTES} bytes", hint="make it one")
    return found
