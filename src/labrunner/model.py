"""The plain frozen data that flows through the program; docs/architecture.md has the glossary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Interface = Literal["function", "cli", "http", "worker", "sql", "files"]
Outcome = Literal["passed", "failed", "not_judged"]
BackendName = Literal["containers", "embedded", "external"]
Blame = Literal["lab", "machine"]
Parameter = int | str
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

INTERFACES: tuple[Interface, ...] = ("function", "cli", "http", "worker", "sql", "files")


# ── the catalogue ───────────────────────────────────────────────────────────────────────────────


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
class Topic:
    """One roadmap topic and the lab that teaches it; `available` is False while that lab is planned."""

    title: str
    lab: str
    interface: Interface
    services: tuple[str, ...]
    languages: tuple[str, ...]
    build: str
    checks: str
    x1000: str
    available: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A named group of topics within a phase."""

    title: str
    topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """One numbered phase of the roadmap."""

    number: int
    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Roadmap:
    """All phases, in order."""

    phases: tuple[Phase, ...]


# ── a learner's folder ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Workspace:
    """The learner's folder, made by `start`. `lab_hash` is the lab's content as it was then."""

    folder: Path
    slug: str
    lab_hash: str


# ── services ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password on a leased service."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A lease as data: where one grade run's own piece of a service is, and as whom it may be entered.

    `lease` names it when it is given back; `name` is the database (for Postgres). `learner` has no right
    beyond this lease; `observer` sees what the grader must see and is no superuser.
    """

    lease: str
    service: str
    backend: BackendName
    version: str
    host: str
    port: int
    name: str
    learner: Credentials
    observer: Credentials


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """A service that took part in a grade run, as the report names it."""

    name: str
    backend: BackendName
    version: str


# ── the report ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something could not be judged: the `lab` is written wrongly, or this `machine` lacks something."""

    blame: Blame
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    `expected` and `seen` are whole, uncut texts, or None when the failure has none. `evidence` holds what the
    grader saw from outside: a plan, statements, a transcript. `fault` is set only when the outcome is
    `not_judged` for a reason other than waiting for another check or stage.
    """

    id: str
    stage: str
    sentence: str
    outcome: Outcome
    points: int
    max_points: int
    message: str
    expected: str | None
    seen: str | None
    evidence: Mapping[str, Json]
    hints: int
    duration_s: float
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class StageResult:
    """A stage's outcome; `waiting` stages were not run because an earlier one failed."""

    id: str
    title: str
    outcome: Outcome
    waiting: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one grade run. report.json is made of exactly this."""

    lab: str
    lab_hash: str
    outcome: Outcome
    points: int
    max_points: int
    stages: tuple[StageResult, ...]
    checks: tuple[CheckResult, ...]
    services: tuple[ServiceUse, ...]
    isolation: str
    seed: int
    started: str
    duration_s: float
    labrunner: str
    fault: Fault | None = None
