"""What the parent tells the grader's process to do, as one JSON document."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from labrunner.model import Interface, Limits


@dataclass(frozen=True, slots=True)
class JobCheck:
    """A check to run: its id and the ids that it needs."""

    id: str
    sentence: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobStage:
    """A stage to run: its test file and its checks, in order."""

    id: str
    title: str
    tests: Path
    checks: tuple[JobCheck, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One grade run as the grader's process sees it. It holds no secret but the nonce."""

    nonce: str
    grader: Path
    stages: tuple[JobStage, ...]
    every_stage: bool
    workspace: Path
    interface: Interface
    learner_patterns: tuple[str, ...]
    seed: int
    limits: Limits

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)


def job_from_json(text: str) -> Job:
    """The inverse of `Job.to_json`."""
    found = json.loads(text)
    return Job(
        nonce=found["nonce"],
        grader=Path(found["grader"]),
        stages=tuple(_stage(stage) for stage in found["stages"]),
        every_stage=found["every_stage"],
        workspace=Path(found["workspace"]),
        interface=found["interface"],
        learner_patterns=tuple(found["learner_patterns"]),
        seed=found["seed"],
        limits=Limits(**found["limits"]),
    )


def _stage(found: Mapping[str, object]) -> JobStage:
    checks = found["checks"]
    return JobStage(
        id=str(found["id"]),
        title=str(found["title"]),
        tests=Path(str(found["tests"])),
        checks=tuple(
            JobCheck(each["id"], each["sentence"], tuple(each["needs"]))
            for each in (checks if isinstance(checks, list) else [])
        ),
    )
