"""The demonstration: the whole of it once, on real servers, and nothing left."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for everything temporary, which the servers' unprivileged account may pass through."""
    with tempfile.TemporaryDirectory(prefix="lr-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_the_demonstration_fails_the_starter_passes_the_reference_and_leaves_nothing(
    temporary: Path, backend: str
) -> None:
    environ = {key: value for key, value in os.environ.items() if key != "LABRUNNER_HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "labrunner", "demo", "--backend", backend],
        cwd=temporary,
        env={**environ, "TMPDIR": str(temporary)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "FAILED" in done.stdout
    assert "43 of 43 points" in done.stdout
    assert "the untouched starter: failed in" in done.stderr
    assert f"({backend})" in done.stderr
    assert "the reference solution: passed in" in done.stderr
    assert "nothing is left" in done.stderr
    assert list(temporary.iterdir()) == []
    words = [word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or []]
    assert not [word for word in words if str(temporary) in word]
