"""The whole of it as an ordinary user, who owns nothing but a home."""

import contextlib
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "catalogue_of_tests"


@pytest.fixture
def account() -> pwd.struct_passwd:
    """An account without rights: one's own, or `nobody` where the tests run as root."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


@pytest.fixture
def folder(account: pwd.struct_passwd) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lr-user-") as made:
        os.chown(made, account.pw_uid, account.pw_gid)
        yield Path(made)


def closure(name: str) -> set[str]:
    """The distributions that this one needs, itself included."""
    needed, todo = {name}, [name]
    while todo:
        for text in importlib.metadata.requires(todo.pop()) or []:
            requirement = Requirement(text)
            # The extra is psycopg's own binary; every other marker speaks of the machine.
            if requirement.marker is None or requirement.marker.evaluate({"extra": "binary"}):
                with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                    found = importlib.metadata.distribution(requirement.name).name
                    todo += [found] if found not in needed else []
                    needed.add(found)
    return needed


@pytest.fixture
def python(folder: Path) -> Path:
    """An interpreter that every user may run, with a copy of labrunner and of what it needs, and no more."""
    system = next(
        path
        for name in (f"python3.{sys.version_info.minor}", "python3")
        if (path := shutil.which(name, path="/usr/bin:/usr/local/bin:/opt/homebrew/bin"))
    )
    subprocess.run([system, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    shutil.copytree(ROOT / "src" / "labrunner", packages / "labrunner")
    here = Path(sysconfig.get_path("purelib"))
    for name in closure("labrunner") - {"labrunner"}:
        for file in importlib.metadata.files(name) or []:
            source = here / file
            if ".." not in file.parts and source.is_file() and source.suffix != ".pyc":
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, packages / file)
    return folder / "venv" / "bin" / "python"


def test_an_ordinary_user_starts_and_grades_with_servers_of_their_own(
    account: pwd.struct_passwd, folder: Path, python: Path
) -> None:
    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        # Running with root's supplementary groups would be no test of an ordinary user.
        return subprocess.run(
            [python, "-m", "labrunner", *words],
            cwd=folder,
            env={"HOME": str(folder), "PATH": os.defpath, "LABRUNNER_CATALOGUE": str(OWN)},
            user=account.pw_uid if os.getuid() == 0 else None,
            group=account.pw_gid if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    started = typed("start", "tiny-sql")
    assert started.returncode == 0, started.stderr
    graded = typed("grade", "tiny-sql", "--backend", "embedded")
    assert graded.returncode == 1, graded.stdout + graded.stderr
    assert "FAILED   The total counts the goods at or above any price." in graded.stdout
    assert (folder / ".cache" / "labrunner" / "servers").is_dir()
    assert (folder / ".cache" / "labrunner").stat().st_uid == account.pw_uid
    stopped = typed("services", "stop")
    assert (stopped.stderr, stopped.returncode) == ("stopped 1 server\n", 0)
