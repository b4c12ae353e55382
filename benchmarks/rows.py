"""The rows of the table; README.md says what each is for."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measuring import NotMeasuredError, Once, Row, ms_since
from benchmarks.surroundings import Surroundings
from labrunner import catalogue, services, workspace
from labrunner.model import ServiceSpec
from labrunner.services import BackendChoice, client, registry
from labrunner.services.engine import EngineAbsence, find_engine
from labrunner.services.keeping import keeping
from labrunner.services.places import places

NAMES = ("grade", "grade-one-query", "list", "help", "cold-start", "lease")

_LAB = "phase3-indexes"
_TINY = "tiny-sql"
# A right answer to the lab that the tests use, which has one query and no submissions.
_TINY_ANSWER = {
    "setup.sql": "create index goods_price on goods (price);\n",
    "total.sql": "select count(*) from goods where price >= $1\n",
}
# 10 MB of rows: more than most labs need, and the same from year to year.
_SEED = """create table goods (id int primary key, name text not null);
insert into goods select i, repeat('x', 180) from generate_series(1, 42000) as i;
"""
_EMPTY_CHECK = '''import check50


@check50.check()
def nothing():
    """nothing is asked"""
'''


def rows(around: Surroundings) -> tuple[Row, ...]:
    """All rows, in the order of the table; nothing is run yet."""
    tests = around.root / "tests" / "catalogue_of_tests"
    check50 = "check50 --dev of an empty check"
    python = 'python -c "import typer"'
    return (
        Row("grade", f"grade {_LAB}, warm", check50, 0.5, partial(_grade_lab, around)),
        Row(
            "grade-one-query",
            "grade a one-query lab, warm",
            check50,
            0.5,
            partial(_grade_tiny, around, tests),
        ),
        Row("list", "labrunner list", python, 1.5, partial(_start_up, around, "list")),
        Row("help", "labrunner --help", python, 1.5, partial(_start_up, around, "--help")),
        Row(
            "cold-start",
            "embedded, first lease",
            "the same in a container",
            0.5,
            partial(_cold_start, around),
        ),
        Row("lease", "lease of a 10 MB seed", "embedded server's start", 0.1, partial(_lease, around)),
    )


@contextmanager
def _grade_lab(around: Surroundings) -> Iterator[tuple[Once, Once]]:
    folder = around.new_folder(_LAB) / _LAB
    lab = catalogue.find(around.root, _LAB)
    workspace.create(lab, folder)
    _lay(lab.grader / "submissions" / "accepted" / "reference", folder)
    yield partial(_overhead, around, around.warm, folder), partial(_check50, around, *_empty_check(around))


@contextmanager
def _grade_tiny(around: Surroundings, tests: Path) -> Iterator[tuple[Once, Once]]:
    folder = around.new_folder(_TINY) / _TINY
    workspace.create(catalogue.find(tests, _TINY), folder)
    for name, text in _TINY_ANSWER.items():
        (folder / name).write_text(text, encoding="utf-8")
    environ = {**around.warm, "LABRUNNER_CATALOGUE": str(tests)}
    yield partial(_overhead, around, environ, folder), partial(_check50, around, *_empty_check(around))


def _lay(overlay: Path, folder: Path) -> None:
    for source in sorted(path for path in overlay.rglob("*") if path.is_file()):
        target = folder / source.relative_to(overlay)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())


def _overhead(around: Surroundings, environ: Mapping[str, str], folder: Path) -> float:
    """The whole of one grade without the checks' own work; it must have passed, or it did not do it all."""
    whole = around.run([around.program("labrunner"), "grade", "--backend", "embedded"], environ, folder)
    report = json.loads((folder / ".labrunner" / "report.json").read_text(encoding="utf-8"))
    return whole - 1000 * float(sum(check["duration_s"] for check in report["checks"]))


def _empty_check(around: Surroundings) -> tuple[Path, Path]:
    """A check50 problem whose only check does nothing, and an empty submission to it."""
    problem, submission = around.new_folder("problem"), around.new_folder("submission")
    (problem / ".cs50.yml").write_text("check50: true\n", encoding="utf-8")
    (problem / "__init__.py").write_text(_EMPTY_CHECK, encoding="utf-8")
    return problem, submission


def _check50(around: Surroundings, problem: Path, submission: Path) -> float:
    # Its page of results goes to the temporary folder, and its records to the home.
    environ = {**around.warm, "TMPDIR": str(around.folder), "HOME": str(around.folder)}
    return around.run([around.program("check50"), "--dev", str(problem)], environ, submission)


@contextmanager
def _start_up(around: Surroundings, word: str) -> Iterator[tuple[Once, Once]]:
    folder = around.new_folder("start-up")
    ours = [around.program("labrunner"), word]
    theirs = [around.program("python"), "-c", "import typer"]
    yield partial(around.run, ours, around.warm, folder), partial(around.run, theirs, around.warm, folder)


@contextmanager
def _cold_start(around: Surroundings) -> Iterator[tuple[Once, Once]]:
    engine = find_engine(around.cold)
    if isinstance(engine, EngineAbsence):
        raise NotMeasuredError("no engine")
    yield partial(_first_lease, around.cold, "embedded"), partial(_first_lease, around.cold, "containers")


def _first_lease(environ: Mapping[str, str], backend: BackendChoice) -> float:
    """From nothing running to the first lease of an empty database."""
    begun = time.perf_counter()
    with services.broker((ServiceSpec("postgres"),), backend, environ, _quiet) as opened:
        opened.lease("postgres", {})
        spent = ms_since(begun)
    services.stop_all(environ)
    return spent


@contextmanager
def _lease(around: Surroundings) -> Iterator[tuple[Once, Once]]:
    seed = around.new_folder("seed") / "seed.sql"
    seed.write_text(_SEED, encoding="utf-8")
    spec = ServiceSpec("postgres", seed)
    with services.broker((spec,), "embedded", around.warm, _quiet) as opened:
        yield partial(_take_and_give_back, opened), partial(_server_start, around.cold)


def _take_and_give_back(opened: services.Broker) -> float:
    begun = time.perf_counter()
    opened.give_back(opened.lease("postgres", {}).lease)
    return ms_since(begun)


def _server_start(environ: Mapping[str, str]) -> float:
    """From nothing running to a server that takes clients, its data folder prepared long before."""
    keep = keeping(registry.service("postgres"), "embedded", places(environ), environ)
    begun = time.perf_counter()
    opened = client.connected(keep, _quiet)
    spent = ms_since(begun)
    opened.close()
    services.stop_all(environ)
    return spent


def _quiet(_text: str) -> None:
    """Progress is for people who wait."""
