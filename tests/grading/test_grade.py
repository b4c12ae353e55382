"""A whole grade: what the learner did decides, and nothing else does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner import report
from labrunner.model import CheckResult, Lab, Report

LabWith = Callable[..., Lab]
Grade = Callable[..., Report]
# One row in the end, so that nothing but the deadline can stop it.
ENDLESS = """with recursive r(n) as (select 1 union all select n + 1 from r)
select max(n) from r where n > $1"""
SLOW = "select count(*) from goods where price >= $1"


def outcomes(judged: Report) -> dict[str, str]:
    return {check.id: check.outcome for check in judged.checks}


def failed(judged: Report) -> CheckResult:
    (check,) = [check for check in judged.checks if check.outcome == "failed"]
    assert report.exit_status(judged) == 1
    assert judged.outcome == "failed"
    return check


def test_a_right_submission_passes_with_all_points(lab_with: LabWith, grade: Grade, backend: str) -> None:
    judged = grade(lab_with(), backend=backend)
    assert outcomes(judged) == {
        "total-is-right": "passed",
        "answer-has-one-column": "passed",
        "total-reads-few-blocks": "passed",
    }
    assert (judged.outcome, judged.points, judged.max_points) == ("passed", 6, 6)
    assert report.exit_status(judged) == 0
    assert [(use.name, use.backend) for use in judged.services] == [("postgres", backend)]
    assert judged.isolation == "database role"
    assert judged.fault is None


def test_a_grade_stops_at_the_first_stage_that_fails(lab_with: LabWith, grade: Grade, backend: str) -> None:
    judged = grade(lab_with(), {}, backend=backend)
    assert outcomes(judged) == {
        "total-is-right": "failed",
        "answer-has-one-column": "not_judged",
        "total-reads-few-blocks": "not_judged",
    }
    assert [stage.outcome for stage in judged.stages] == ["failed", "not_judged"]
    assert [stage.waiting for stage in judged.stages] == [False, True]
    wrong, needing, later = judged.checks
    assert wrong.expected is not None
    assert wrong.seen is not None
    assert wrong.expected != wrong.seen
    assert needing.message == "waits for: The total counts the goods at or above any price."
    assert later.message == "waits for the stage 'The answer'"
    assert (later.fault, needing.fault) == (None, None)
    assert report.exit_status(judged) == 1


def test_all_grades_every_stage(lab_with: LabWith, grade: Grade) -> None:
    judged = grade(lab_with(), {}, every_stage=True)
    assert outcomes(judged) == {
        "total-is-right": "failed",
        "answer-has-one-column": "not_judged",
        "total-reads-few-blocks": "failed",
    }
    assert "plan" in judged.checks[2].evidence


def test_a_seed_repeats_what_was_drawn(lab_with: LabWith, grade: Grade) -> None:
    lab = lab_with()
    runs = [grade(lab, {}, seed=seed) for seed in (7, 7, 8)]
    assert [run.seed for run in runs] == [7, 7, 8]
    messages = [run.checks[0].message for run in runs]
    assert messages[0] == messages[1] != messages[2]
    assert grade(lab, {}).seed != grade(lab, {}).seed


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "total.sql",
            "select count(*) form goods where price >= $1",
            'total.sql, line 1: syntax error at or near "goods"',
        ),
        (
            "setup.sql",
            "select 1;\n\ncreate index on goods (colour);",
            'setup.sql, line 3: column "colour" does not exist',
        ),
        ("total.sql", "", "total.sql"),
        ("total.sql", "-- nothing yet\n", "total.sql"),
        ("total.sql", b"select \x00", "total.sql"),
        ("total.sql", b"\xff\xfe\x00s", "total.sql"),
        ("total.sql", "-- " + "x" * 100_000, "total.sql"),
        ("total.sql", "select 1; select 2", "total.sql"),
        ("total.sql", "select pg_sleep(1e6) where $1 > 0", "did not finish within 1 s"),
        (
            "total.sql",
            ENDLESS,
            "did not finish within 1 s",
        ),
        ("setup.sql", "set statement_timeout = 0; select pg_sleep(1e6)", "did not finish within 1 s"),
        ("setup.sql", "drop database postgres", "must be owner of database postgres"),
        ("setup.sql", "alter role postgres superuser", 'role "postgres" does not exist'),
        (
            "setup.sql",
            "copy goods to program 'id'",
            "permission denied to COPY to or from an external program",
        ),
        ("setup.sql", "copy goods from '/etc/passwd'", "permission denied to COPY from a file"),
        ("setup.sql", "drop table goods", 'relation "goods" does not exist'),
        (
            "total.sql",
            "delete from goods where price >= $1 returning 1",
            "cannot execute DELETE in a read-only transaction",
        ),
        ("setup.sql", "select pg_terminate_backend(pg_backend_pid())", "setup.sql"),
        ("setup.sql", "\\! id", "setup.sql"),
    ],
)
def test_what_the_learners_sql_does_wrong_fails_in_the_learners_words(
    lab_with: LabWith, grade: Grade, name: str, content: str | bytes, words: str
) -> None:
    judged = grade(lab_with(), {name: content} | ({"total.sql": SLOW} if name != "total.sql" else {}))
    check = failed(judged)
    said = f"{check.message}\n{check.expected}\n{check.seen}"
    assert words in said
    assert "Traceback" not in said
    assert "labrunner/" not in said


def test_a_missing_file_a_folder_and_a_link_out_of_the_tree_fail_with_the_files_name(
    lab_with: LabWith, grade: Grade, tmp_path: Path
) -> None:
    lab = lab_with()
    secret = tmp_path / "secret.sql"
    secret.write_text(SLOW)

    def link(folder: Path) -> None:
        (folder / "total.sql").unlink()
        (folder / "total.sql").symlink_to(secret)

    def folder_instead(folder: Path) -> None:
        (folder / "total.sql").unlink()
        (folder / "total.sql").mkdir()

    for change in (link, folder_instead, lambda folder: (folder / "total.sql").unlink()):
        check = failed(grade(lab, {}, change=change))
        assert "total.sql" in check.message
        assert "secret" not in f"{check.message}{check.seen}"


def test_settings_that_a_learner_leaves_behind_do_not_change_what_is_measured(
    lab_with: LabWith, grade: Grade
) -> None:
    hidden = (
        "alter role current_user set enable_seqscan = off; set enable_seqscan = off; set search_path = x;"
    )
    judged = grade(lab_with(), {"setup.sql": hidden, "total.sql": SLOW}, every_stage=True)
    assert outcomes(judged)["total-is-right"] == "passed"
    assert outcomes(judged)["total-reads-few-blocks"] == "failed"
    assert "Seq Scan" in str(judged.checks[2].evidence["plan"])


def test_what_lies_in_the_learners_folder_never_reaches_the_grader(lab_with: LabWith, grade: Grade) -> None:
    bomb = "import os; os._exit(0)\n"
    traps = {
        "conftest.py": bomb,
        "sitecustomize.py": bomb,
        "usercustomize.py": bomb,
        "pytest.py": bomb,
        "psycopg.py": bomb,
        "labrunner.py": bomb,
        "test_answer.py": "def test_total_is_right(): pass\n",
        "pytest.ini": "[pytest]\naddopts = --collect-only\n",
        "tox.ini": "[pytest]\naddopts = --collect-only\n",
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--collect-only'\n",
    }
    assert grade(lab_with(), traps).checks[0].outcome == "failed"


def test_variables_from_outside_never_reach_the_grader(
    lab_with: LabWith, grade: Grade, home: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "pytest.py").write_text("import os; os._exit(0)\n")
    environ = {
        **home,
        "PYTEST_ADDOPTS": "--collect-only",
        "PYTEST_PLUGINS": "nothing_of_that_name",
        "PYTHONPATH": str(tmp_path),
        "PGOPTIONS": "-c enable_seqscan=off",
        "PGDATABASE": "postgres",
    }
    assert grade(lab_with(), {}, environ=environ).checks[0].outcome == "failed"
