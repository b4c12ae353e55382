from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labrunner.model import CheckResult, Fault, Report, StageResult
from labrunner.report import to_junit

ReportOf = Callable[..., Report]


@pytest.fixture(scope="module")
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


@pytest.fixture
def mixed(
    report_of: ReportOf, passed: CheckResult, failed: CheckResult, waiting: CheckResult, stopped: CheckResult
) -> Report:
    return report_of(passed, failed, stopped, waiting)


def test_each_stage_is_a_suite_and_each_check_a_case(
    mixed: Report, junit_schema: xmlschema.XMLSchema
) -> None:
    text = to_junit(mixed)
    junit_schema.validate(text)
    root = ET.fromstring(text)
    assert root.attrib == {
        "name": "phase3-indexes",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "time": "0.800",
    }
    lookups, joins = root
    assert lookups.attrib == {
        "name": "phase3-indexes.lookups",
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
        "id": "0",
        "time": "0.500",
        "timestamp": "2025-03-01T10:00:00",
    }
    assert (joins.get("tests"), joins.get("skipped"), joins.get("id")) == ("1", "1", "1")
    case = lookups.findall("testcase")[1]
    assert case.attrib == {"name": "email-lookup", "classname": "phase3-indexes.lookups", "time": "0.250"}


def test_failed_is_a_failure_waiting_is_skipped_and_a_fault_is_an_error(mixed: Report) -> None:
    passed, failed, stopped, waiting = ET.fromstring(to_junit(mixed)).iter("testcase")
    assert [child.tag for child in passed] == ["system-out"]
    failure = failed.find("failure")
    assert failure is not None
    assert failure.attrib == {"type": "failed", "message": "The blocks grow with the table."}
    assert failure.text == (
        "Finding a customer by email reads a handful of pages\n\nThe blocks grow with the table.\n\n"
        "expected:\nat most 8 blocks\n\nseen:\n1 241 blocks"
    )
    error = stopped.find("error")
    assert error is not None
    assert error.attrib == {"type": "machine", "message": "The server went away."}
    assert error.text == "start it and grade again"
    skipped = waiting.find("skipped")
    assert skipped is not None
    assert skipped.attrib == {"message": "waits for the stage 'Lookups'"}
    assert (
        failed.findtext("system-out") == "Finding a customer by email reads a handful of pages\n0 of 3 points"
    )


def test_the_facts_of_the_run_are_properties_of_each_suite(mixed: Report) -> None:
    for suite in ET.fromstring(to_junit(mixed)):
        facts = {each.get("name"): each.get("value") for each in suite.iter("property")}
        assert facts["seed"] == "4711"
        assert facts["isolation"] == "strict"
        assert facts["service.postgres"] == "18 (containers)"
        assert facts["lab_hash"] == "sha256:ab12"


def test_a_failure_without_expected_and_seen_has_none(report_of: ReportOf, failed: CheckResult) -> None:
    text = to_junit(report_of(replace(failed, expected=None, seen=None)))
    assert "expected:" not in text
    assert "seen:" not in text


def test_a_fault_of_the_whole_run_never_reads_as_a_pass(
    report_of: ReportOf, passed: CheckResult, junit_schema: xmlschema.XMLSchema
) -> None:
    text = to_junit(report_of(passed, fault=Fault("lab", "The grader ended early.", "mend it")))
    junit_schema.validate(text)
    root = ET.fromstring(text)
    assert (root.get("tests"), root.get("errors")) == ("2", "1")
    run = root[-1]
    assert (run.get("name"), run.get("errors")) == ("phase3-indexes.run", "1")
    error = run.find("testcase/error")
    assert error is not None
    assert error.attrib == {"type": "lab", "message": "The grader ended early."}


def test_a_stage_that_was_not_asked_for_is_an_empty_suite(
    report_of: ReportOf, passed: CheckResult, junit_schema: xmlschema.XMLSchema
) -> None:
    report = report_of(passed)
    more = (*report.stages, StageResult("budget", "Budget", "not_judged", waiting=False))
    text = to_junit(replace(report, stages=more))
    junit_schema.validate(text)
    assert ET.fromstring(text)[1].get("tests") == "0"


def test_markup_in_a_learners_text_stays_text(
    report_of: ReportOf, failed: CheckResult, junit_schema: xmlschema.XMLSchema
) -> None:
    evil = ']]></failure><testcase name="forged"/><!-- &amp; <b> "quoted" \n\tlines'
    text = to_junit(report_of(replace(failed, message=evil, expected=evil, seen=evil)))
    junit_schema.validate(text)
    (case,) = ET.fromstring(text).iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == evil
    assert f"seen:\n{evil}" in (failure.text or "")


@settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_no_text_whatever_makes_the_document_invalid(
    report_of: ReportOf, failed: CheckResult, junit_schema: xmlschema.XMLSchema, text: str
) -> None:
    check = replace(failed, sentence=text, message=text, expected=text, seen=text, evidence={text: text})
    document = to_junit(report_of(check, fault=Fault("machine", text, text), isolation=text))
    junit_schema.validate(document)
    document.encode("utf-8")
