import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SLUG = "phase3-indexes"
CATALOGUE = "labrunner/_catalogue"
TOPICS = 130
# What a checkout collects while one works in it, none of it for others.
LEFTOVERS = (
    f"labs/{SLUG}/starter/.pytest_cache/README.md",
    f"graders/{SLUG}/__pycache__/test_lookups.cpython-311.pyc",
    "templates/.mypy_cache/cache.json",
    "src/labrunner/kit/__pycache__/plan.cpython-311.pyc",
    "tests/test_planted.py",
)


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment with nothing but the wheel and what it needs; `folder` is empty at first."""

    prefix: Path
    folder: Path
    environ: dict[str, str]

    def labrunner(self, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return _run([self.prefix / "bin" / "labrunner", *words], folder or self.folder, self.environ)

    def catalogue(self) -> Path:
        (found,) = self.prefix.glob(f"lib/python*/site-packages/{CATALOGUE}")
        return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy in which leftovers of work lie about."""
    copy = tmp_path_factory.mktemp("checkout") / "labrunner"
    copy.mkdir()
    for name in ("src", "labs", "graders", "templates"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    for leftover in LEFTOVERS:
        (copy / leftover).parent.mkdir(parents=True, exist_ok=True)
        (copy / leftover).write_text("planted", encoding="utf-8")
    target = tmp_path_factory.mktemp("wheel")
    _make([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target], copy)
    (built,) = target.glob("labrunner-*.whl")
    return built


@pytest.fixture(scope="module")
def installation(wheel: Path) -> Iterator[Installation]:
    uv = Path(sys.executable).with_name("uv")
    # The servers' binaries are in this environment. When the tests run as root, servers run as an
    # unprivileged user, who must be able to pass through to them, as through pytest's folders he is not.
    base = Path(tempfile.mkdtemp(prefix="labrunner-wheel-"))
    base.chmod(0o711)
    try:
        prefix, folder = base / "environment", base / "folder"
        folder.mkdir()
        _make([uv, "--quiet", "venv", "--python", sys.executable, prefix], base)
        _make([uv, "--quiet", "pip", "install", "--python", prefix / "bin" / "python", wheel], base)
        environ = {"PATH": os.defpath, "HOME": str(base / "user"), "LABRUNNER_HOME": str(base / "home")}
        made = Installation(prefix, folder, environ)
        try:
            yield made
        finally:
            made.labrunner("services", "stop")
    finally:
        shutil.rmtree(base)


def test_a_wheel_carries_all_labs_graders_and_templates(wheel: Path) -> None:
    inside = _names(wheel)

    for part in ("labs", "graders", "templates"):
        missing = {f"{CATALOGUE}/{path}" for path in _tracked(part)} - inside
        assert missing == set()
    assert f"{CATALOGUE}/labs/{SLUG}/lab.toml" in inside
    assert f"{CATALOGUE}/graders/{SLUG}/submissions/accepted/reference/indexes.sql" in inside


def test_a_wheel_carries_no_tests_and_nothing_that_work_left_behind(wheel: Path) -> None:
    inside = _names(wheel)
    parts = {part for name in inside for part in Path(name).parts}

    assert {Path(name).parts[0] for name in inside if ".dist-info/" not in name} == {"labrunner"}
    assert parts & {"tests", "__pycache__", ".labrunner", ".pytest_cache", ".mypy_cache"} == set()
    assert {name for name in inside if name.endswith(".pyc")} == set()


def test_an_installed_wheel_tells_its_version(installation: Installation, wheel: Path) -> None:
    done = installation.labrunner("--version")

    assert (done.returncode, done.stdout) == (0, f"labrunner {wheel.name.split('-')[1]}\n")


def test_an_installed_wheel_lists_every_topic_of_the_roadmap(installation: Installation) -> None:
    done = installation.labrunner("list", "--json")

    assert done.returncode == 0, done.stderr
    phases = json.loads(done.stdout)["phases"]
    topics = [topic for phase in phases for section in phase["sections"] for topic in section["topics"]]
    assert len(topics) == TOPICS
    assert SLUG in {topic["lab"] for topic in topics if topic["available"]}


def test_an_installed_wheel_starts_and_grades_a_lab(installation: Installation) -> None:
    started = installation.labrunner("start", SLUG)
    assert started.returncode == 0, started.stderr

    starter = _graded(installation)
    assert starter == (1, "failed", "embedded")

    reference = installation.catalogue() / "graders" / SLUG / "submissions" / "accepted" / "reference"
    shutil.copytree(reference, installation.folder / SLUG, dirs_exist_ok=True)
    assert _graded(installation) == (0, "passed", "embedded")


def _graded(installation: Installation) -> tuple[int, str, str]:
    done = installation.labrunner(
        "grade", "--backend", "embedded", "--json", folder=installation.folder / SLUG
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    (service,) = report["services"]
    return done.returncode, report["outcome"], service["backend"]


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _tracked(part: str) -> set[str]:
    """The files of a folder of this checkout that are kept, or will be, as paths from its root."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", part]
    return {name for name in _make(listed, ROOT).split("\0") if name and (ROOT / name).is_file()}


def _make(argv: Sequence[str | Path], folder: Path) -> str:
    done = _run(argv, folder, dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(
    argv: Sequence[str | Path], folder: Path, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
