"""A workspace's own view of its environment, so that an editor and a shell find the same packages.

For Python that is a small virtual environment in the workspace whose search path leads on to the shared one.
A mere link to that would not do: `uv add`, `pip install` and the like write through it, into what others use.
For Node it is a link, because npm puts a folder of its own in the place of one.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labrunner.environment import plain
from labrunner.environment.parts import Environment
from labrunner.errors import MachineError

_VENV = ".venv"
_MODULES = "node_modules"
_RECORD = "labrunner.json"
_SEARCH = "labrunner.pth"
_RECORD_BYTES = 10_000


def link(workspace: Path, environment: Environment) -> bool:
    """Let `.venv`, or `node_modules`, in the workspace show the environment.

    Returns whether it does: what the learner made themselves is left alone. Raises MachineError when the
    workspace cannot be written.
    """
    try:
        if environment.kind == "node":
            return _link_modules(workspace / _MODULES, environment.folder)
        return _link_python(workspace / _VENV, environment.folder)
    except OSError as error:
        raise MachineError(
            f"{workspace}: the lab's packages cannot be shown here: {error.strerror}",
            hint="make sure that the folder can be written, and that the disk has space",
        ) from error


# ── Node ────────────────────────────────────────────────────────────────────────────────────────


def _link_modules(place: Path, shared: Path) -> bool:
    target = shared / _MODULES
    if os.path.lexists(place):
        if not place.is_symlink():
            return False
        found = place.readlink()
        if found == target:
            return True
        # Another link of ours leads to an environment beside this one.
        if found.name != _MODULES or found.parent.parent != shared.parent:
            return False
    with tempfile.TemporaryDirectory(prefix=".labrunner-", dir=place.parent) as folder:
        staged = Path(folder, _MODULES)
        staged.symlink_to(target)
        staged.replace(place)
    return True


# ── Python ──────────────────────────────────────────────────────────────────────────────────────


def _link_python(place: Path, shared: Path) -> bool:
    if os.path.lexists(place):
        known = _recorded(place)
        if known == str(shared):
            return True
        # What somebody installed into it is theirs, and whole without ours.
        if known is None or any(_own_packages(place)):
            return False
    with tempfile.TemporaryDirectory(prefix=".labrunner-", dir=place.parent) as folder:
        staged = Path(folder, "staged")
        _make(staged, shared)
        if place.exists():
            place.rename(Path(folder, "before"))
        staged.rename(place)
    return True


def _make(venv: Path, shared: Path) -> None:
    """A virtual environment like the shared one, with its programs, that searches it for packages."""
    (venv / "bin").mkdir(parents=True)
    for name in ("pyvenv.cfg", ".gitignore", "CACHEDIR.TAG"):
        with suppress(FileNotFoundError):
            shutil.copyfile(shared / name, venv / name)
    for program in (shared / "bin").iterdir():
        # Copied, because an installer writes through a link; they find the interpreter that is beside them.
        shutil.copy(program, venv / "bin" / program.name, follow_symlinks=False)
    for packages in shared.glob("lib/python*/site-packages"):
        inside = venv / packages.relative_to(shared)
        inside.mkdir(parents=True)
        # Editors read the path; the second line has Python also run what packages want run at its start.
        search = f"{packages}\nimport site; site.addsitedir({str(packages)!r})\n"
        (inside / _SEARCH).write_text(search, encoding="utf-8")
    (venv / _RECORD).write_text(json.dumps({"environment": str(shared)}) + "\n", encoding="utf-8")


def _recorded(venv: Path) -> str | None:
    """The environment that `.venv` was made to show; None when it is not of our making."""
    if venv.is_symlink():
        return None
    try:
        found = json.loads(plain.content(venv / _RECORD, _RECORD_BYTES) or b"{}")
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    known = found.get("environment") if isinstance(found, dict) else None
    return known if isinstance(known, str) else None


def _own_packages(venv: Path) -> Iterator[Path]:
    for packages in venv.glob("lib/python*/site-packages"):
        yield from (path for path in packages.iterdir() if path.name not in {_SEARCH, "__pycache__"})
