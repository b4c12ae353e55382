"""The commands as they are typed: what they print, what they leave, and how they end."""

import contextlib
import functools
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import jsonschema
import psutil
import psycopg
import pytest

from labrunner import report
from labrunner.services import client, orphans
from labrunner.services.places import places
from labrunner.services.server import Seed
from labrunner.waiting import poll

OWN = Path(__file__).parent.parent / "catalogue_of_tests"
Run = Callable[..., subprocess.CompletedProcess[str]]
RIGHT = {
    "setup.sql": "create index on goods (price);",
    "total.sql": "select count(*) from goods where price >= $1",
}


@pytest.fixture
def environ(home: dict[str, str]) -> dict[str, str]:
    return {**home, "LABRUNNER_CATALOGUE": str(OWN), "COLUMNS": "100"}


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    """Runs `labrunner WORDS` in an empty folder and returns what it printed and how it ended."""

    def typed(*words: str, at: Path = tmp_path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "labrunner", *words],
            cwd=at,
            env={**environ, **more},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return typed


@pytest.fixture
def started(run: Run, tmp_path: Path) -> Path:
    assert run("start", "tiny-sql").returncode == 0
    return tmp_path / "tiny-sql"


def solve(folder: Path) -> None:
    for name, text in RIGHT.items():
        (folder / name).write_text(text)


def test_version_is_printed(run: Run) -> None:
    done = run("--version")
    assert (done.stdout.split()[0], done.stderr, done.returncode) == ("labrunner", "", 0)


def test_list_shows_the_roadmap_with_what_is_planned(run: Run) -> None:
    done = run("list", LABRUNNER_CATALOGUE="")
    assert done.returncode == 0
    assert "phase3-indexes" in done.stdout
    assert "planned" in done.stdout
    third = run("list", "--phase", "3", LABRUNNER_CATALOGUE="").stdout
    assert "phase3-redis" in third
    assert "phase1-git" not in third


def test_list_as_json_has_all_topics(run: Run) -> None:
    found = json.loads(run("list", "--json", LABRUNNER_CATALOGUE="").stdout)
    topics = [
        topic for phase in found["phases"] for section in phase["sections"] for topic in section["topics"]
    ]
    assert len(topics) == 130
    assert {topic["lab"]: topic["available"] for topic in topics}["phase3-indexes"] is True
    (only,) = json.loads(run("list", "--json", "--phase", "10", LABRUNNER_CATALOGUE="").stdout)["phases"]
    assert only["number"] == 10


def test_list_refuses_a_phase_that_is_not_there(run: Run) -> None:
    done = run("list", "--phase", "42", LABRUNNER_CATALOGUE="")
    assert done.returncode == 2
    assert "there is no phase 42" in done.stderr
    assert "1, 2, 3" in done.stderr


def test_start_ends_with_the_next_two_commands(run: Run, tmp_path: Path) -> None:
    done = run("start", "tiny-sql")
    assert done.returncode == 0
    assert [line.strip() for line in done.stderr.splitlines()[-2:]] == ["cd tiny-sql", "labrunner grade"]
    assert (tmp_path / "tiny-sql" / "total.sql").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "tiny-sq"), "tiny-sql"),
        (("start", "../etc"), "../etc"),
        (("start", "tiny-sql", "--to", "full"), "full"),
        (("grade",), "labrunner start"),
        (("grade", "nowhere"), "nowhere"),
        (("grade", "--backend", "magic"), "magic"),
        (("grade", "--seed", "-1"), "--seed"),
        (("dance",), "dance"),
        (("start",), "slug"),
    ],
)
def test_what_cannot_be_done_is_said_with_status_2(
    run: Run, tmp_path: Path, words: Sequence[str], said: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    done = run(*words)
    assert done.returncode == 2
    assert said.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_planned_lab_is_said_to_be_planned(run: Run) -> None:
    done = run("start", "phase3-redis", LABRUNNER_CATALOGUE="")
    assert done.returncode == 2
    assert "planned" in done.stderr


def test_a_catalogue_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("list", LABRUNNER_CATALOGUE=str(tmp_path))
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr


def test_a_lab_that_is_written_wrongly_ends_with_status_3(run: Run, tmp_path: Path) -> None:
    shutil.copytree(OWN, tmp_path / "catalogue")
    settings = tmp_path / "catalogue" / "labs" / "tiny-sql" / "lab.toml"
    settings.write_text(settings.read_text().replace("minutes = 5", "minuets = 5"))
    done = run("start", "tiny-sql", LABRUNNER_CATALOGUE=str(tmp_path / "catalogue"))
    assert done.returncode == 3
    assert "minuets" in done.stderr
    assert "lab.toml" in done.stderr


def test_grade_prints_a_report_and_keeps_it(run: Run, started: Path) -> None:
    wrong = run("grade", "--backend", "embedded", at=started)
    assert wrong.returncode == 1
    assert "FAILED   The total counts the goods at or above any price." in wrong.stdout
    assert "expected" in wrong.stdout
    assert "0 of 6 points" in wrong.stdout
    solve(started)
    right = run("grade", "--backend", "embedded", at=started / "stages")
    assert right.returncode == 0
    assert "6 of 6 points" in right.stdout
    kept = json.loads((started / ".labrunner" / "report.json").read_text())
    assert kept["outcome"] == "passed"
    jsonschema.Draft202012Validator(report.schema()).validate(kept)


def test_grade_as_json_prints_exactly_the_report(run: Run, started: Path, backend: str) -> None:
    done = run("grade", str(started), "--json", "--backend", backend, "--seed", "11", "--all")
    found = json.loads(done.stdout)
    jsonschema.Draft202012Validator(report.schema()).validate(found)
    assert found == json.loads((started / ".labrunner" / "report.json").read_text())
    assert (found["seed"], found["lab"], done.returncode) == (11, "tiny-sql", 1)
    assert [use["backend"] for use in found["services"]] == [backend]


def test_grade_writes_junit_where_it_is_told(run: Run, started: Path, tmp_path: Path) -> None:
    done = run("grade", str(started), "--junit", "out.xml", "--backend", "embedded")
    assert done.returncode == 1
    assert "<failure" in (tmp_path / "out.xml").read_text()
    refused = run("grade", str(started), "--junit", "no/such/folder.xml", "--backend", "embedded")
    assert refused.returncode == 2
    assert "no/such/folder.xml: cannot be written" in refused.stderr


def test_progress_goes_to_stderr_and_data_to_stdout(
    run: Run, started: Path, own_home: dict[str, str]
) -> None:
    done = run(
        "grade", "--json", "--backend", "embedded", at=started, LABRUNNER_HOME=own_home["LABRUNNER_HOME"]
    )
    assert "preparing postgres" in done.stderr
    assert json.loads(done.stdout)["outcome"] == "failed"


def test_a_machine_that_lacks_a_server_ends_with_status_4(
    run: Run, started: Path, own_home: dict[str, str], tmp_path: Path
) -> None:
    done = run(
        "grade",
        at=started,
        LABRUNNER_HOME=own_home["LABRUNNER_HOME"],
        DOCKER_HOST="unix:///nonexistent.sock",
        LABRUNNER_POSTGRES_BIN=str(tmp_path),
    )
    assert done.returncode == 4
    assert "unix:///nonexistent.sock" in done.stdout.replace("\n", "")
    assert "NOT JUDGED" in done.stdout


def test_services_stop_ends_what_is_warm(run: Run, started: Path, own_home: dict[str, str]) -> None:
    home = own_home["LABRUNNER_HOME"]
    run("grade", "--backend", "embedded", at=started, LABRUNNER_HOME=home)
    assert run("services", "stop", LABRUNNER_HOME=home).stderr == "stopped 1 server\n"
    assert run("services", "stop", LABRUNNER_HOME=home).stderr == "stopped 0 servers\n"


def test_what_a_failed_check_ran_can_be_run_by_hand(run: Run, started: Path, environ: dict[str, str]) -> None:
    (started / "total.sql").write_text(RIGHT["total.sql"])
    done = run("grade", "--backend", "embedded", at=started)
    command = "labrunner services shell postgres < .labrunner/replay/total-reads-few-blocks.sql"
    assert command in done.stdout
    words = command.partition(" < ")[0].split()[1:]
    replay = (started / command.partition(" < ")[2]).read_text()
    shell = subprocess.run(
        [sys.executable, "-m", "labrunner", *words, "--backend", "embedded"],
        cwd=started,
        env=environ,
        input=replay,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert shell.returncode == 0
    assert "Seq Scan on goods" in shell.stdout
    assert "Buffers: shared hit=" in shell.stdout
    solve(started)
    run("grade", "--backend", "embedded", at=started)
    assert not (started / ".labrunner" / "replay").exists()


@pytest.mark.parametrize("kind", ["tar", "gztar", "zip"])
def test_an_archive_of_a_lab_is_graded_like_its_folder(
    run: Run, started: Path, tmp_path: Path, kind: str
) -> None:
    archive = shutil.make_archive(str(tmp_path / "handed-in"), kind, tmp_path, "tiny-sql")
    wrong = run("grade", archive, "--backend", "embedded")
    assert wrong.returncode == 1
    assert "FAILED   The total counts the goods at or above any price." in wrong.stdout
    assert ".labrunner/replay" not in wrong.stdout
    solve(started)
    archive = shutil.make_archive(str(tmp_path / "handed-in"), kind, tmp_path, "tiny-sql")
    right = run("grade", archive, "--backend", "embedded", "--json")
    assert json.loads(right.stdout)["outcome"] == "passed"
    assert not (started / ".labrunner" / "report.json").exists()


def test_an_archive_that_is_no_lab_or_hostile_is_refused_with_status_2(
    run: Run, started: Path, tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "stages"), "zip", started / "stages")
    done = run("grade", archive)
    assert done.returncode == 2
    assert "stages: expected an archive of a lab's folder" in done.stderr
    (started / "total.sql").unlink()
    (started / "total.sql").symlink_to("/etc/passwd")
    done = run("grade", shutil.make_archive(str(tmp_path / "link"), "tar", tmp_path, "tiny-sql"))
    assert done.returncode == 2
    assert "'tiny-sql/total.sql' is a link" in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_shell_needs_a_service_of_the_lab(run: Run, started: Path) -> None:
    refused = run("services", "shell", "redis", at=started)
    assert refused.returncode == 2
    assert "tiny-sql has no service redis" in refused.stderr
    assert "its services are: postgres" in refused.stderr


def test_a_fault_of_our_own_is_said_to_be_ours(started: Path) -> None:
    code = "from labrunner.cli import learner, main; learner._root = lambda: 1 / 0; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "list"], cwd=started, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 70
    assert "a fault of its own: ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr


SLOW = "select count(*) from goods, (select pg_sleep(0.9)) as pause where price >= $1"


def begun(environ: dict[str, str], folder: Path) -> tuple["subprocess.Popen[bytes]", psutil.Process]:
    """A grade in the middle of a slow statement, and its grader's process."""
    (folder / "total.sql").write_text(SLOW)
    command = subprocess.Popen(
        [sys.executable, "-m", "labrunner", "grade", "--backend", "embedded"],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Whoever runs the tests in the background may have had Ctrl-C switched off for them.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )

    def grader() -> psutil.Process | None:
        for child in psutil.Process(command.pid).children():
            if child.cmdline() and "labrunner.grading.runner" in child.cmdline():
                return child
        return None

    found = poll(grader, timeout_s=20)
    assert found is not None
    assert poll(lambda: leases(environ), timeout_s=20)
    return command, found


def leases(environ: dict[str, str]) -> list[str]:
    """The leases on the embedded server, read from the folder of its data: a folder for each database."""
    (kept,) = orphans.recorded(places(environ))
    with contextlib.closing(client.connected(kept, lambda _: None)) as keeper:
        mine = keeper.lease(Seed("", "", {}), lambda _: None)
        with psycopg.connect(
            host=mine.host,
            port=mine.port,
            dbname=mine.name,
            user=mine.observer.user,
            password=mine.observer.password,
        ) as session:
            found = session.execute(
                "select datname from pg_database where starts_with(datname, 'labrunner_lease_')"
            )
            return [row[0] for row in found if row[0] != mine.name]


@pytest.mark.parametrize(
    ("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_grade_that_is_ended_leaves_nothing_and_the_next_one_works(
    run: Run,
    started: Path,
    environ: dict[str, str],
    own_home: dict[str, str],
    by: signal.Signals,
    status: int,
) -> None:
    own = {**environ, "LABRUNNER_HOME": own_home["LABRUNNER_HOME"]}
    solve(started)
    assert (
        run("grade", "--backend", "embedded", at=started, LABRUNNER_HOME=own["LABRUNNER_HOME"]).returncode
        == 0
    )
    command, grader = begun(own, started)
    command.send_signal(by)
    assert command.wait(timeout=30) == status
    assert poll(lambda: not grader.is_running(), timeout_s=10)
    assert poll(lambda: not leases(own), timeout_s=10)
    solve(started)
    done = run("grade", "--backend", "embedded", at=started, LABRUNNER_HOME=own["LABRUNNER_HOME"])
    assert done.returncode == 0
