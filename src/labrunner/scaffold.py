"""What a learner starts from: the starter with the brief and the stages' pages, written into a new folder."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from labrunner.errors import AuthoringError, MachineError
from labrunner.model import FileRoles, Lab

Role = Literal["learner", "provided", "hidden"]

# labrunner's own folder in every workspace.
RESERVED = ".labrunner"

_TEMPLATE = ".j2"


@dataclass(frozen=True, slots=True)
class _File:
    """One file to write: from where, and as what relative to the workspace."""

    source: Path
    name: str


def render(lab: Lab, target: Path) -> None:
    """Write everything that the learner of `lab` starts from into `target`, a folder that does not exist yet.

    That is starter/ (`*.j2` rendered with `slug` and `title`, and named without the suffix), README.md and
    the stages' pages. Executable files stay executable. Raises AuthoringError when the lab holds something
    that may not be handed out, before anything is written, and OSError when `target` cannot be written.
    """
    files = _files(lab)
    contents = [_content(file, lab) for file in files]
    target.mkdir()
    for file, content in zip(files, contents, strict=True):
        destination = target / file.name
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_bytes(content)
        if file.source.stat().st_mode & stat.S_IXUSR:
            mode = destination.stat().st_mode
            # Whoever may read it may run it: the umask has decided who that is.
            destination.chmod(mode | (mode & 0o444) >> 2)


def roles(files: FileRoles, name: str) -> tuple[Role, ...]:
    """The roles whose patterns match `name`, a path relative to the workspace with `/` between its parts."""
    patterns: tuple[tuple[Role, tuple[str, ...]], ...] = (
        ("learner", files.learner),
        ("provided", files.provided),
        ("hidden", files.hidden),
    )
    return tuple(role for role, globs in patterns if any(matches(name, glob) for glob in globs))


def matches(name: str, pattern: str) -> bool:
    """Whether the relative path matches the glob: `*`, `?`, `[…]` within a part, `**` for any parts."""
    return _parts_match(name.split("/"), pattern.split("/"))


def _parts_match(parts: list[str], globs: list[str]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_parts_match(parts[n:], globs[1:]) for n in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _parts_match(parts[1:], globs[1:])


def _files(lab: Lab) -> list[_File]:
    ours = [_File(lab.folder / "README.md", "README.md")]
    ours += [_File(stage.page, f"stages/{stage.page.name}") for stage in lab.stages]
    starter = [_File(path, _name(path, lab)) for path in _walk(lab.folder / "starter", lab)]
    for file in starter:
        _refuse_roleless(file, lab)
    _refuse_clashes([*ours, *starter], lab)
    return [*ours, *starter]


def _walk(folder: Path, lab: Lab) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise AuthoringError(
                f"{_shown(path, lab)} must be a plain file or folder, found a link or a special file",
                hint="replace it by a plain copy",
            )
        if path.is_file():
            yield path
        elif path.name != "__pycache__":
            yield from _walk(path, lab)


def _name(path: Path, lab: Lab) -> str:
    return path.relative_to(lab.folder / "starter").as_posix().removesuffix(_TEMPLATE)


def _refuse_roleless(file: _File, lab: Lab) -> None:
    place = f"{_shown(file.source, lab)}:"
    found = roles(lab.files, file.name)
    toml = f"labs/{lab.slug}/lab.toml"
    if not found:
        raise AuthoringError(
            f"{place} no pattern in `files` of {toml} matches {file.name!r}",
            hint=f"add {file.name!r} to `learner` or `provided`, or remove the file",
        )
    if "hidden" in found:
        raise AuthoringError(
            f"{place} {file.name!r} is `hidden` in {toml}, but a starter is handed out",
            hint=f"move it to graders/{lab.slug}",
        )
    if len(found) > 1:
        raise AuthoringError(
            f"{place} {file.name!r} is both `learner` and `provided` in {toml}",
            hint="make one of the patterns narrower: a file is either theirs or ours",
        )
    if file.name.split("/")[0] == RESERVED:
        raise AuthoringError(f"{place} {RESERVED}/ is labrunner's own folder", hint="choose another name")


def _refuse_clashes(files: list[_File], lab: Lab) -> None:
    taken: dict[str, _File] = {}
    for file in files:
        # Some file systems do not tell capitals from small letters.
        first = taken.setdefault(file.name.casefold(), file)
        if first is not file:
            raise AuthoringError(
                f"{_shown(file.source, lab)} and {_shown(first.source, lab)} would both become {file.name!r}",
                hint="rename or remove one of the two",
            )


def _content(file: _File, lab: Lab) -> bytes:
    try:
        content = file.source.read_bytes()
    except OSError as error:
        raise MachineError(
            f"{_shown(file.source, lab)} cannot be read: {error.strerror}", hint=f"look at {file.source}"
        ) from None
    return _rendered(content, file, lab) if file.source.suffix == _TEMPLATE else content


def _rendered(template: bytes, file: _File, lab: Lab) -> bytes:
    import jinja2  # only a lab with templates pays for it

    # What is rendered is source code, which escaping for HTML would spoil.
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )
    try:
        text = environment.from_string(template.decode()).render(slug=lab.slug, title=lab.title)
    except jinja2.TemplateSyntaxError as error:
        raise _unrenderable(f"{_shown(file.source, lab)}:{error.lineno}: {error.message}") from None
    except Exception as error:  # noqa: BLE001 - an expression in a template may raise anything
        raise _unrenderable(f"{_shown(file.source, lab)}: {error}") from None
    return text.encode()


def _unrenderable(complaint: str) -> AuthoringError:
    return AuthoringError(
        f"{complaint} (the template cannot be rendered)", hint="a template may use {{ slug }} and {{ title }}"
    )


def _shown(path: Path, lab: Lab) -> str:
    return f"labs/{lab.slug}/{path.relative_to(lab.folder).as_posix()}"
