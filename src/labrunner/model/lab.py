"""A lab, and the learner's folder made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labrunner.model.words import Interface, Parameter


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A real server that a lab needs, and what a fresh lease of it starts from.

    `seed` is a file of the grader (None: an empty lease); `parameters` are the defaults of the values
    that the seed reads, which a grader may set anew for each lease.
    """

    name: str
    seed: Path | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileRoles:
    """Glob patterns, relative to the workspace: the learner's own files, ours, and the grader's only."""

    learner: tuple[str, ...]
    provided: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one grade run may use at the most. Times in seconds, sizes in bytes."""

    statement_s: float = 10.0
    check_s: float = 60.0
    run_s: float = 300.0
    file_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One graded behaviour, read from the grader's source without running it.

    `sentence` is the docstring on one line; `needs` are ids of checks without which this one waits;
    `hints` is the number of hint levels on offer.
    """

    id: str
    stage: str
    sentence: str
    points: int
    needs: tuple[str, ...]
    hints: int
    file: Path
    line: int


@dataclass(frozen=True, slots=True)
class Stage:
    """An ordered part of a lab: a page for the learner and a test file of checks."""

    id: str
    title: str
    page: Path
    tests: Path
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Lab:
    """One exercise. `folder` is labs/SLUG, `grader` is graders/SLUG, `hash` covers the content of both."""

    slug: str
    title: str
    topic: str
    minutes: int
    difficulty: str
    teaches: tuple[str, ...]
    requires: tuple[str, ...]
    interface: Interface
    services: tuple[ServiceSpec, ...]
    stages: tuple[Stage, ...]
    files: FileRoles
    limits: Limits
    folder: Path
    grader: Path
    hash: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """The learner's folder, made by `start`. `lab_hash` is the lab's content as it was then."""

    folder: Path
    slug: str
    lab_hash: str
