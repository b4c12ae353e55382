"""report.json: what a report is as data, and the JSON Schema that describes it."""

import json
from typing import Any, cast

from labrunner.model import CheckResult, Fault, Json, Report

SCHEMA = 1


def to_json(report: Report) -> dict[str, Json]:
    """The document report.json, as plain JSON data that `schema()` describes. Times are in seconds."""
    return {
        "schema": SCHEMA,
        "lab": report.lab,
        "lab_hash": report.lab_hash,
        "outcome": report.outcome,
        "points": report.points,
        "max_points": report.max_points,
        "stages": [
            {"id": stage.id, "title": stage.title, "outcome": stage.outcome, "waiting": stage.waiting}
            for stage in report.stages
        ],
        "checks": [_check(check) for check in report.checks],
        "services": [
            {"name": service.name, "backend": service.backend, "version": service.version}
            for service in report.services
        ],
        "isolation": report.isolation,
        "seed": report.seed,
        "started": report.started,
        "duration_s": report.duration_s,
        "labrunner": report.labrunner,
        "fault": _fault(report.fault),
    }


def to_json_text(report: Report) -> str:
    """The content of report.json: `to_json(report)` in ASCII, and a line end."""
    return json.dumps(to_json(report), indent=2, allow_nan=False) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of report.json, as it is shipped in the package."""
    from importlib import resources

    text = resources.files("labrunner.report").joinpath("schema.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def _check(check: CheckResult) -> Json:
    return {
        "id": check.id,
        "stage": check.stage,
        "sentence": check.sentence,
        "outcome": check.outcome,
        "points": check.points,
        "max_points": check.max_points,
        "message": check.message,
        "expected": check.expected,
        "seen": check.seen,
        "evidence": dict(check.evidence),
        "hints": check.hints,
        "duration_s": check.duration_s,
        "fault": _fault(check.fault),
    }


def _fault(fault: Fault | None) -> Json:
    if fault is None:
        return None
    return {"blame": fault.blame, "message": fault.message, "remedy": fault.remedy}
