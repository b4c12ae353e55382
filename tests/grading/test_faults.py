"""Whose fault it is: the learner's, the lab's or the machine's, never mixed, and never a pass."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest

from labrunner import catalogue, report
from labrunner.model import Lab, Report
from labrunner.services import client, orphans
from labrunner.services.places import places
from labrunner.services.server import Seed

RIGHT = {
    "setup.sql": "create index on goods (price);",
    "total.sql": "select count(*) from goods where price >= $1",
}
LabWith = Callable[..., Lab]
Grade = Callable[..., Report]

HEAD = "import os, sys, time, pytest\nfrom labrunner.kit import check, fail\n"
CHECK = HEAD + 'def test_it(postgres):\n    """It holds."""\n    '


def lab_fault(judged: Report) -> str:
    assert judged.outcome != "passed"
    assert judged.points == 0
    assert all(check.outcome == "not_judged" for check in judged.checks)
    assert report.exit_status(judged) == 3
    faults = {check.fault.message for check in judged.checks if check.fault}
    faults |= {judged.fault.message} if judged.fault else set()
    return "\n".join(sorted(faults))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "import no_such_module\n" + CHECK + "pass",
            "test_answer.py:1: the grader cannot be loaded: ModuleNotFoundError",
        ),
        (
            HEAD + "raise RuntimeError('half-written')\n" + CHECK + "pass",
            "test_answer.py:3: the grader cannot be loaded",
        ),
        (CHECK + "{}['price']", "test_answer.py:5: the grader raised KeyError: 'price'"),
        (CHECK + "pytest.skip('not today')", "the grader skipped this check: not today"),
        (CHECK + "pytest.xfail('not today')", "the grader skipped this check: not today"),
        (CHECK + "pytest.exit('enough')", "record"),
        (CHECK + "sys.exit(0)", "the grader raised SystemExit"),
        (CHECK + "os._exit(0)", "The grader ended before its closing record"),
        (CHECK + "os._exit(9)", "The grader's process ended with status 9"),
        (CHECK + "os.kill(os.getpid(), 9)", "The grader's process ended with status -9"),
        (CHECK + "while True: pass", "test_answer.py:5: the grader did not finish within 1 s"),
        (CHECK + "pass\ndel test_it", "record"),
        (CHECK + "pass\nglobals()['test_other'] = test_it", "record"),
        (CHECK + "pass\ntest_it = pytest.mark.skip(test_it)", "the grader skipped this check"),
        (CHECK + "pass\ntest_it = pytest.mark.xfail(test_it)", "expects this check to fail"),
        (CHECK + "postgres.database(colour='red')", "the parameter 'colour' of postgres"),
        (CHECK.replace("postgres", "no_such_fixture") + "pass", "no_such_fixture"),
    ],
)
def test_a_grader_that_is_wrong_is_the_labs_fault(
    lab_with: LabWith, grade: Grade, source: str, words: str
) -> None:
    lab = lab_with({"test_answer.py": source}, limits="check_s = 1\nrun_s = 5\n")
    said = lab_fault(grade(lab))
    assert words in said


def test_a_grader_that_ignores_its_deadline_is_ended(lab_with: LabWith, grade: Grade) -> None:
    source = CHECK + "while True:\n        try: time.sleep(60)\n        except BaseException: pass"
    lab = lab_with({"test_answer.py": source}, limits="check_s = 1\nrun_s = 1\n")
    assert "did not keep its own deadlines" in lab_fault(grade(lab))


def test_a_conftest_that_cannot_be_loaded_is_the_labs_fault(lab_with: LabWith, grade: Grade) -> None:
    lab = lab_with({"test_answer.py": CHECK + "pass", "conftest.py": "import no_such_module\n"})
    assert "no_such_module" in lab_fault(grade(lab))


def test_a_plain_assertion_fails_with_its_own_words_only(lab_with: LabWith, grade: Grade) -> None:
    lab = lab_with({"test_answer.py": CHECK + "secret = 42\n    assert secret == 43, 'the sum is off'"})
    (check,) = grade(lab).checks
    assert (check.outcome, check.message) == ("failed", "the sum is off")
    assert "42" not in str(check)


def test_what_a_learner_makes_slow_fails_for_the_learner(lab_with: LabWith, grade: Grade) -> None:
    source = HEAD + (
        'def test_it(postgres):\n    """It holds."""\n'
        "    with postgres.database() as database:\n"
        "        while True:\n            database.run('select pg_sleep(0.5)')\n"
    )
    lab = lab_with({"test_answer.py": source}, limits="check_s = 2\nrun_s = 20\n")
    (check,) = grade(lab).checks
    assert (check.outcome, check.message) == ("failed", "This did not finish within 2 s.")


KILL = (
    "import json, os, signal\n"
    "from labrunner.services import containers, orphans\n"
    "from labrunner.services.places import places\n"
    "from pathlib import Path\n"
    'def test_fails():\n    """It fails."""\n    assert False, "no"\n'
    'def test_it(postgres, learner):\n    """It holds."""\n'
    "    with postgres.database() as database:\n"
    "        for kept in orphans.recorded(places({'LABRUNNER_HOME': '%s'})):\n"
    "            if kept.backend == 'containers':\n"
    "                containers.end_orphans(kept.identity)\n"
    "            else:\n"
    "                pid = json.loads((kept.folder / 'process.json').read_text())['pid']\n"
    "                os.kill(pid, signal.SIGKILL)\n"
    "        database.run(learner.query('total.sql'), 1)\n"
)


def test_a_server_that_dies_in_mid_grade_is_the_machines_fault(
    lab_with: LabWith, grade: Grade, own_home: dict[str, str], backend: str
) -> None:
    lab = lab_with({"test_answer.py": KILL % own_home["LABRUNNER_HOME"]})
    judged = grade(lab, backend=backend, environ=own_home)
    assert report.exit_status(judged) == 4
    assert judged.outcome == "not_judged"
    assert [check.outcome for check in judged.checks] == ["failed", "not_judged"]
    assert judged.checks[1].fault is not None
    assert judged.checks[1].fault.blame == "machine"
    assert judged.checks[1].fault.remedy
    lab = lab_with_plain(lab)
    assert grade(lab, backend=backend, environ=own_home).outcome == "passed"


def lab_with_plain(lab: Lab) -> Lab:
    (lab.grader / "test_answer.py").write_text(
        'def test_it(postgres):\n    """It holds."""\n    postgres.database()\n'
    )
    return catalogue.load(lab.folder.parent.parent, lab.slug)


def test_a_machine_without_any_server_is_the_machines_fault(
    lab_with: LabWith, grade: Grade, own_home: dict[str, str], tmp_path: Path
) -> None:
    environ = {**own_home, "DOCKER_HOST": "unix:///nonexistent.sock", "LABRUNNER_POSTGRES_BIN": str(tmp_path)}
    judged = grade(lab_with(), backend="auto", environ=environ)
    assert report.exit_status(judged) == 4
    (fault,) = {check.fault for check in judged.checks if check.fault}
    assert "no container engine answered: unix:///nonexistent.sock" in fault.message
    assert str(tmp_path) in fault.message
    assert "install" in fault.remedy


def test_two_grades_at_once_are_both_right(lab_with: LabWith, grade: Grade, backend: str) -> None:
    lab = lab_with()
    got: dict[str, Report] = {}

    def run(name: str, files: Mapping[str, str]) -> None:
        got[name] = grade(lab, files, backend=backend)

    threads = [threading.Thread(target=run, args=each) for each in {"right": RIGHT, "wrong": {}}.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got["right"].outcome == "passed"
    assert got["wrong"].outcome == "failed"


def test_nothing_of_a_run_is_left(lab_with: LabWith, grade: Grade, own_home: dict[str, str]) -> None:
    assert grade(lab_with(), environ=own_home).outcome == "passed"
    (kept,) = orphans.recorded(places(own_home))

    with contextlib.closing(client.connected(kept, lambda _: None)) as keeper:
        lease = keeper.lease(Seed("", "", {}), lambda _: None)
        with psycopg.connect(
            host=lease.host,
            port=lease.port,
            dbname=lease.name,
            user=lease.observer.user,
            password=lease.observer.password,
        ) as session:
            found = session.execute(
                "select datname from pg_database where starts_with(datname, 'labrunner_lease_')"
            )
            assert found.fetchall() == [(lease.name,)]
