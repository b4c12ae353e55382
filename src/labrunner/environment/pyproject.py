"""What a pyproject.toml and the lock beside it say, when they fit each other."""

import re
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrunner.environment import programs, reasons, requirements
from labrunner.environment.commands import run
from labrunner.environment.sources import Locked, Source
from labrunner.errors import MachineError

FILE = "pyproject.toml"

_SPECIFIERS = re.compile(r"[0-9A-Za-z.*<>=!~, ]+")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_OFFLINE = ("--offline", "--no-config", "--no-python-downloads", "--no-progress")


@dataclass(frozen=True, slots=True)
class _Project:
    """What a pyproject.toml says that matters here."""

    name: str
    requires_python: str | None
    dependencies: tuple[str, ...]


def locked_lines(source: Source, locked: Locked, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The locked packages; an error with the remedy when project and lock do not fit each other."""
    project = _project(source, locked.project)
    if project.requires_python:
        _check_python(source, project.requires_python, environ)
    if locked.lock is None or locked.lock_name is None:
        if project.dependencies:
            raise source.wrong(
                FILE, "it names dependencies, but there is no lock", hint="run `uv lock` beside it"
            )
        return ()
    try:
        text = locked.lock.decode()
    except UnicodeDecodeError:
        raise source.wrong(locked.lock_name, "it is not UTF-8", hint="make the lock again") from None
    if locked.lock_name == "uv.lock":
        text = _exported(source, project.name, text, environ)
    lines = requirements.normalised(text, source, locked.lock_name)
    known = requirements.names(lines)
    for dependency in project.dependencies:
        name = requirements.unconditional_name(dependency)
        if name and name not in known:
            raise source.wrong(
                locked.lock_name,
                f"it does not hold {name!r}, which {FILE} names",
                hint="make the lock again, with `uv lock` or `uv pip compile`",
            )
    return lines


def _project(source: Source, content: bytes | None) -> _Project:
    try:
        found = tomllib.loads((content or b"").decode()).get("project", {})
    except (ValueError, RecursionError) as error:
        raise source.wrong(FILE, f"it is not TOML: {error}", hint="mend it") from None
    if not isinstance(found, dict):
        found = {"name": None}
    name, python = found.get("name", "project"), found.get("requires-python")
    dependencies = found.get("dependencies", [])
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise source.wrong(FILE, "expected a name in [project]", hint='write name = "lab"')
    if python is not None and not (isinstance(python, str) and _SPECIFIERS.fullmatch(python)):
        raise source.wrong(
            FILE, "requires-python is not a version's bounds", hint='write requires-python = ">=3.11"'
        )
    if not isinstance(dependencies, list) or not all(isinstance(each, str) for each in dependencies):
        raise source.wrong(
            FILE, "dependencies are not a list of texts", hint='write dependencies = ["name>=1"]'
        )
    return _Project(name, python, tuple(dependencies))


def _check_python(source: Source, requires: str, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_project(folder, "project", requires)
        done = run(
            [programs.uv(), "lock", *_OFFLINE, "--python", programs.base()],
            folder=folder,
            environ=environ,
        )
    if "Python requirement" in done.output:
        raise MachineError(
            f"{source.name} needs Python {requires}, this labrunner runs on {sys.version.split()[0]}",
            hint="install labrunner with such a Python",
        )
    if done.status != 0:
        raise reasons.failure("python", done, source, FILE)


def _exported(source: Source, name: str, lock: str, environ: Mapping[str, str]) -> str:
    """The packages of a lock of uv's, for the project itself: without its groups and extras.

    The lock is read beside a project file of ours, because a learner's could have settings for uv.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_project(folder, name, None)
        (folder / "uv.lock").write_text(lock, encoding="utf-8")
        out = folder / "requirements.txt"
        words = ["--frozen", "--no-emit-project", "--no-default-groups", "--no-header", "--no-annotate"]
        done = run(
            [
                programs.uv(),
                "export",
                *_OFFLINE,
                *words,
                "--quiet",
                "--python",
                programs.base(),
                "--output-file",
                str(out),
            ],
            folder=folder,
            environ=environ,
        )
        if done.status != 0:
            raise reasons.failure("python", done, source, "uv.lock")
        return out.read_text(encoding="utf-8")


def _write_project(folder: Path, name: str, requires: str | None) -> None:
    python = f'requires-python = "{requires}"\n' if requires else ""
    # With a workspace of its own, uv looks for none in the folders above.
    text = f'[project]\nname = "{name}"\nversion = "0"\n{python}[tool.uv.workspace]\n'
    (folder / FILE).write_text(text, encoding="utf-8")
