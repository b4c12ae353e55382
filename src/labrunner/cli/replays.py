"""Puts what a failed check ran into a file, for the learner to run by hand."""

import contextlib
import shutil
from pathlib import Path

from labrunner.cli import files
from labrunner.model import Report

_FOLDER = Path(".labrunner", "replay")


def write(workspace: Path, report: Report) -> None:
    """Leave one file for each failed check that has a replay, in place of those of the last grade."""
    folder = workspace / _FOLDER
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    for check in report.checks:
        replay = check.evidence.get("replay")
        if check.outcome == "failed" and isinstance(replay, str):
            folder.mkdir(exist_ok=True)
            files.write(folder / f"{check.id}.sql", replay)
