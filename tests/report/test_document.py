import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from labrunner.model import CheckResult, Fault, Report
from labrunner.report import schema, to_json, to_json_text

ReportOf = Callable[..., Report]

KEYS = (
    "schema lab lab_hash outcome points max_points stages checks services isolation seed started duration_s "
    "labrunner fault"
)
CHECK_KEYS = (
    "id stage sentence outcome points max_points message expected seen evidence hints duration_s fault"
)


@pytest.fixture
def document(
    report_of: ReportOf, passed: CheckResult, failed: CheckResult, waiting: CheckResult, stopped: CheckResult
) -> dict[str, Any]:
    made: dict[str, Any] = to_json(report_of(passed, failed, stopped, waiting))
    return made


def _problems(document: object) -> list[str]:
    return [error.message for error in Draft202012Validator(schema()).iter_errors(document)]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_a_report_has_exactly_the_keys_of_schema_one(document: dict[str, Any]) -> None:
    assert list(document) == KEYS.split()
    assert list(document["checks"][0]) == CHECK_KEYS.split()
    assert document["schema"] == 1
    assert document["stages"][1] == {
        "id": "joins",
        "title": "Joins",
        "outcome": "not_judged",
        "waiting": True,
    }
    assert document["services"] == [{"name": "postgres", "backend": "containers", "version": "18"}]
    assert document["checks"][1]["evidence"] == {"plan": "Seq Scan on customers\n  Filter: lower(email) = $1"}
    assert document["checks"][2]["fault"] == {
        "blame": "machine",
        "message": "The server went away.",
        "remedy": "start it and grade again",
    }


def test_every_kind_of_report_fits_the_schema(
    report_of: ReportOf, passed: CheckResult, failed: CheckResult, document: dict[str, Any]
) -> None:
    assert _problems(document) == []
    assert _problems(to_json(report_of(passed))) == []
    assert _problems(to_json(report_of(passed, failed))) == []
    assert _problems(to_json(report_of(passed, fault=Fault("lab", "broken")))) == []
    assert _problems(to_json(report_of(passed, started="2025-03-01T10:00:00Z"))) == []


def test_report_json_is_ascii_and_holds_the_document(report_of: ReportOf, failed: CheckResult) -> None:
    report = report_of(failed, isolation="streng ü")
    text = to_json_text(report)
    assert text.isascii()
    assert text.endswith("}\n")
    assert json.loads(text) == to_json(report)


@pytest.mark.parametrize("path", [(), ("stages", 0), ("checks", 0), ("services", 0), ("checks", 2, "fault")])
def test_a_key_too_many_or_too_few_does_not_fit_the_schema(
    document: dict[str, Any], path: tuple[Any, ...]
) -> None:
    for key in _at(document, path):
        lacking = deepcopy(document)
        del _at(lacking, path)[key]
        assert _problems(lacking), f"{key} may be missing at {path}"
    extra = deepcopy(document)
    _at(extra, path)["extra"] = 1
    assert any("extra" in problem for problem in _problems(extra))


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "schema", 2),
        ((), "outcome", "skipped"),
        ((), "outcome", None),
        ((), "points", -1),
        ((), "points", 1.5),
        ((), "points", "4"),
        ((), "seed", "4711"),
        ((), "started", "yesterday"),
        ((), "started", "2025-03-01T10:00:00+02:00"),
        ((), "duration_s", -1),
        ((), "fault", "lab"),
        (("services", 0), "backend", "cloud"),
        (("stages", 0), "waiting", 1),
        (("stages", 1), "outcome", "passed"),
        (("checks", 0), "evidence", []),
        (("checks", 0), "expected", 1),
        (("checks", 0), "sentence", ""),
        (("checks", 1), "points", 3),
        (("checks", 2), "outcome", "passed"),
        (("checks", 2, "fault"), "blame", "learner"),
        (("checks", 2, "fault"), "message", ""),
    ],
)
def test_a_wrong_value_does_not_fit_the_schema(
    document: dict[str, Any], path: tuple[Any, ...], key: str, value: object
) -> None:
    assert key in _at(document, path)
    _at(document, path)[key] = value
    assert _problems(document)


def test_a_run_with_a_fault_that_says_it_passed_does_not_fit_the_schema(
    report_of: ReportOf, passed: CheckResult
) -> None:
    report = report_of(passed, fault=Fault("lab", "broken"), outcome="passed")
    assert _problems(to_json(report))


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document
