"""The lab phase3-indexes, shown by submissions: right ones in several ways, and wrong ones by name."""

import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from labrunner import catalogue, report, workspace
from labrunner.grading.run import Request, grade_submission
from labrunner.model import CheckResult, Lab, Report
from labrunner.scaffold import roles

if TYPE_CHECKING:
    from labrunner.services import BackendChoice

ROOT = Path(__file__).parents[2]
GRADER = ROOT / "graders" / "phase3-indexes"
FOLDER = ROOT / "labs" / "phase3-indexes"
ACCEPTED = sorted(path.name for path in (GRADER / "submissions" / "accepted").iterdir())
REJECTED = sorted(path.name for path in (GRADER / "submissions" / "rejected").iterdir())
MOST_WORDS = 160

Grade = Callable[..., Report]


@dataclass(frozen=True)
class Expectation:
    """What an expect.toml says."""

    fails: list[str]
    says: list[str]
    because: str
    may_also_fail: list[str]


def expectation(name: str) -> Expectation:
    text = (GRADER / "submissions" / "rejected" / name / "expect.toml").read_text(encoding="utf-8")
    return Expectation(**{"may_also_fail": [], **tomllib.loads(text)})


@pytest.fixture(scope="session")
def lab() -> Lab:
    return catalogue.load(ROOT, "phase3-indexes")


@pytest.fixture
def grade(lab: Lab, tmp_path: Path, home: dict[str, str]) -> Grade:
    """Grades the starter with a submission's files laid over it."""

    def judged(submission: str = "", *, backend: str = "embedded", every_stage: bool = False) -> Report:
        made = workspace.create(lab, tmp_path / "workspace")
        if submission:
            overlay = GRADER / "submissions" / submission
            ignored = shutil.ignore_patterns("expect.toml")
            shutil.copytree(overlay, made.folder, dirs_exist_ok=True, ignore=ignored)
        choice = cast("BackendChoice", backend)
        return grade_submission(
            Request(lab, made, choice, every_stage=every_stage, environ=home), lambda _: None
        )

    return judged


def failures(judged: Report) -> list[CheckResult]:
    assert judged.fault is None
    assert [check.fault for check in judged.checks if check.fault] == []
    return [check for check in judged.checks if check.outcome == "failed"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_right_submission_passes_however_it_was_done(name: str, grade: Grade, backend: str) -> None:
    judged = grade(f"accepted/{name}", backend=backend)
    assert [(check.id, check.message) for check in failures(judged)] == []
    assert (judged.outcome, judged.points) == ("passed", judged.max_points)


@pytest.mark.parametrize("name", REJECTED)
def test_a_misconception_is_rejected_by_the_intended_check_in_the_intended_words(
    name: str, grade: Grade, backend: str
) -> None:
    expected = expectation(name)
    first, *others = failures(grade(f"rejected/{name}", backend=backend))
    assert first.id == expected.fails[0]
    assert {check.id for check in others} <= {*expected.fails, *expected.may_also_fail}
    assert [words for words in expected.says if words not in first.message] == []
    assert max(len(check.message.split()) for check in (first, *others)) <= MOST_WORDS


def test_the_starter_answers_rightly_and_reads_too_much(grade: Grade, lab: Lab) -> None:
    judged = grade(every_stage=True)
    failed = failures(judged)
    assert [check.id for check in failed] == [
        "email-lookup-reads-few-blocks",
        "day-report-reads-few-blocks",
        "order-history-reads-few-blocks",
        "open-orders-read-few-blocks",
        "customer-totals-stay-in-the-index",
        "order-page-needs-one-statement",
    ]
    passed = {check.id for check in judged.checks if check.outcome == "passed"}
    assert {check.id for stage in lab.stages for check in stage.checks if "the-same" in check.id} <= passed
    assert failed[0].seen == "110 blocks"
    assert "Seq Scan on customers" in str(failed[0].evidence["plan"])
    assert "41 for 40 orders" in failed[-1].message
    assert report.exit_status(judged) == 1


def test_every_check_is_the_first_to_fail_for_some_misconception(lab: Lab) -> None:
    killers = {expectation(name).fails[0] for name in REJECTED}
    assert {check.id for stage in lab.stages for check in stage.checks} == killers


def test_every_expectation_names_checks_of_the_lab_and_says_why(lab: Lab) -> None:
    ids = {check.id for stage in lab.stages for check in stage.checks}
    for name in REJECTED:
        expected = expectation(name)
        assert {*expected.fails, *expected.may_also_fail} <= ids, name
        assert expected.says, name
        assert expected.because.endswith("."), name


def test_a_submission_holds_only_learners_files_that_differ_from_the_starter(lab: Lab) -> None:
    for folder in [
        *(GRADER / "submissions" / "accepted").iterdir(),
        *(GRADER / "submissions" / "rejected").iterdir(),
    ]:
        for file in folder.rglob("*.sql"):
            name = file.relative_to(folder).as_posix()
            assert roles(lab.files, name) == ("learner",), file
            assert file.read_text() != (FOLDER / "starter" / name).read_text(), file


def test_the_original_queries_of_the_grader_are_those_of_the_starter() -> None:
    queries = {path.name: path.read_text() for path in (FOLDER / "starter" / "queries").iterdir()}
    originals = {path.name: path.read_text() for path in (GRADER / "originals").iterdir()}
    # The page's two statements are one here; that they say the same is shown by the starter's answers.
    del originals["order_page.sql"]
    assert originals == queries


def columns(text: str) -> list[tuple[str, str]]:
    """The columns of all CREATE TABLE statements: name and type, in order."""
    tables = re.findall(r"CREATE TABLE \w+ \((.*?)\n\);", text, re.DOTALL)
    return [match for table in tables for match in re.findall(r"^\s+(\w+)\s+(\w+)", table, re.MULTILINE)]


def test_the_schema_for_reading_is_that_of_the_seed() -> None:
    seed = columns((GRADER / "seed.sql").read_text())
    assert len(seed) == 18
    assert columns((FOLDER / "starter" / "schema.sql").read_text()) == seed


def test_every_check_has_three_hint_levels(lab: Lab) -> None:
    assert {check.hints for stage in lab.stages for check in stage.checks} == {3}


def test_no_page_and_no_hint_shows_a_statement_of_the_reference() -> None:
    reference = GRADER / "submissions" / "accepted" / "reference"
    statements = [
        " ".join(line.split())
        for file in reference.rglob("*.sql")
        for line in file.read_text().splitlines()
        if re.match(r"(CREATE|WHERE|LEFT JOIN|\s+AND placed_at)", line)
    ]
    assert len(statements) >= 8
    texts = [FOLDER / "README.md", *FOLDER.rglob("stages/*.md"), *FOLDER.rglob("hints/*.md")]
    shown = " ".join(" ".join(text.read_text().split()) for text in texts)
    assert [statement for statement in statements if statement in shown] == []
