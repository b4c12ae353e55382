"""What lab.toml says, decoded and checked by itself: no other file of the lab is looked at."""

import re
from dataclasses import dataclass
from pathlib import Path

from labrunner.catalogue import table
from labrunner.catalogue.table import Table
from labrunner.catalogue.vocabulary import (
    DIFFICULTIES,
    SERVICES,
    SLUG_RULE,
    did_you_mean,
    is_slug,
    listed,
    shown,
)
from labrunner.model import INTERFACES, FileRoles, Interface, Limits, Parameter, ServiceSpec

# A parameter is read by the seed as a setting of the server, so its name must be one.
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Settings:
    """The content of one lab.toml. `services` name their seeds as paths under graders/SLUG."""

    slug: str
    title: str
    topic: str
    minutes: int
    difficulty: str
    teaches: tuple[str, ...]
    requires: tuple[str, ...]
    interface: Interface
    stages: tuple[str, ...]
    services: tuple[ServiceSpec, ...]
    files: FileRoles
    limits: Limits


def name_of(slug: str) -> str:
    """How messages call the lab.toml of a lab."""
    return f"labs/{slug}/lab.toml"


def read(root: Path, slug: str) -> Settings:
    """The settings of the lab in labs/SLUG; AuthoringError with file, key and remedy for anything wrong."""
    with table.read(root / "labs" / slug / "lab.toml", name_of(slug)) as lab:
        table.check_format(lab)
        return Settings(
            slug=_own_slug(lab, slug),
            title=lab.text("title"),
            topic=lab.text("topic"),
            minutes=lab.whole("minutes"),
            difficulty=lab.choice("difficulty", DIFFICULTIES),
            teaches=lab.texts("teaches"),
            requires=slugs(lab, "requires", default=()),
            interface=lab.choice("interface", INTERFACES),
            stages=slugs(lab, "stages"),
            services=_services(lab.table("services", optional=True), root / "graders" / slug),
            files=_files(lab),
            limits=_limits(lab.table("limits", optional=True)),
        )


def required(root: Path, slug: str) -> tuple[str, ...]:
    """Only the slugs that labs/SLUG/lab.toml requires; none when that lab is not written yet."""
    file = root / "labs" / slug / "lab.toml"
    if not file.is_file():
        return ()
    lab = table.read(file, name_of(slug))
    return slugs(lab, "requires", default=())


def slugs(source: Table, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """A list of names that may be parts of paths."""
    names = source.texts(key, default)
    for name in names:
        if not is_slug(name):
            raise source.wrong(
                key, f"must hold names, found {shown(name)}", hint=f"a name is made of {SLUG_RULE}"
            )
    return names


def _own_slug(lab: Table, folder: str) -> str:
    slug = lab.text("slug")
    if slug != folder:
        raise lab.wrong(
            "slug",
            f"must be the folder's name {folder!r}, found {shown(slug)}",
            hint=f'write slug = "{folder}"',
        )
    return slug


def _services(services: Table, grader: Path) -> tuple[ServiceSpec, ...]:
    return tuple(_service(services, name, grader) for name in services.names())


def _service(services: Table, name: str, grader: Path) -> ServiceSpec:
    if name not in SERVICES:
        raise services.wrong(
            name,
            "is not a known service",
            hint=did_you_mean(name, SERVICES) or f"known services: {listed(SERVICES)}",
        )
    with services.table(name) as service:
        seed = grader / _relative(service, "seed", service.text("seed")) if service.has("seed") else None
        return ServiceSpec(name, seed, _parameters(service.table("parameters", optional=True)))


def _parameters(source: Table) -> dict[str, Parameter]:
    for name in source.names():
        if not _PARAMETER.fullmatch(name):
            raise source.wrong(
                name,
                "is not a parameter's name",
                hint="use small letters, digits and underscores, a letter first",
            )
    return {name: source.scalar(name) for name in source.names()}


def _files(lab: Table) -> FileRoles:
    with lab.table("files") as files:
        return FileRoles(
            learner=_patterns(files, "learner"),
            provided=_patterns(files, "provided", ()),
            hidden=_patterns(files, "hidden", ()),
        )


def _patterns(files: Table, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
    return tuple(_relative(files, key, pattern) for pattern in files.texts(key, default))


def _relative(source: Table, key: str, path: str) -> str:
    parts = path.split("/")
    if "\\" in path or "" in parts or "." in parts or ".." in parts:
        raise source.wrong(
            key,
            f"must stay inside its folder, found {shown(path)}",
            hint="write a relative path with single slashes, without '.' and '..'",
        )
    return path


def _limits(source: Table) -> Limits:
    usual = Limits()
    with source as limits:
        return Limits(
            statement_s=limits.number("statement_s", usual.statement_s),
            check_s=limits.number("check_s", usual.check_s),
            run_s=limits.number("run_s", usual.run_s),
            file_bytes=limits.whole("file_bytes", usual.file_bytes),
        )
