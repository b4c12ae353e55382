import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = frozenset(
    {
        "docker",
        "testcontainers",
        "psycopg",
        "pytest",
        "jinja2",
        "httpx",
        "rich",
        "asyncio",
        "requests",
        "pydantic",
    }
)


@pytest.mark.parametrize(("words", "status"), [("list", 0), ("--help", 0), ("start no-such-lab", 2)])
def test_a_quick_command_loads_no_heavy_library(words: str, status: int, tmp_path: Path) -> None:
    done = _run(["-m", "labrunner", *words.split()], tmp_path)

    assert done.returncode == status, done.stderr
    assert HEAVY & _loaded(done.stderr) == set()


def test_a_heavy_library_that_is_loaded_would_be_seen(tmp_path: Path) -> None:
    assert "asyncio" in _loaded(_run(["-c", "import asyncio.events"], tmp_path).stderr)


def _run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def _loaded(importtime: str) -> set[str]:
    """The top-level names of the modules in what `-X importtime` prints."""
    lines = [line for line in importtime.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
