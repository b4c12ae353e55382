"""`labrunner demo`: the whole of it, once, on this machine, leaving nothing."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from labrunner import workspace
from labrunner.cli.console import Console
from labrunner.errors import AuthoringError
from labrunner.grading.run import Request, grade_submission
from labrunner.model import Lab, Outcome, Workspace
from labrunner.services import BackendChoice, forget

SLUG = "phase3-indexes"
_REFERENCE = Path("submissions", "accepted", "reference")


def run(lab: Lab, backend: BackendChoice, environ: Mapping[str, str], console: Console) -> None:
    """Start the lab in a temporary folder, grade its starter, lay the reference over it, and grade again.

    Raises AuthoringError when the starter passes or the reference does not: then the demonstration is none.
    """
    with _own_home(environ) as own, tempfile.TemporaryDirectory(prefix="labrunner-demo-") as folder:
        made = workspace.create(lab, Path(folder) / lab.slug)
        _grade(lab, made, backend, own, console, title="the untouched starter", outcome="failed")
        shutil.copytree(lab.grader / _REFERENCE, made.folder, dirs_exist_ok=True)
        _grade(lab, made, backend, own, console, title="the reference solution", outcome="passed")
    console.say("the servers are stopped and the folders removed: nothing is left")


def _grade(
    lab: Lab,
    made: Workspace,
    backend: BackendChoice,
    environ: Mapping[str, str],
    console: Console,
    *,
    title: str,
    outcome: Outcome,
) -> None:
    console.say(f"grading {title} of {lab.slug}")
    judged = grade_submission(Request(lab, made, backend, environ=environ), console.progress)
    console.report(judged)
    used = ", ".join(f"{use.name} {use.version} ({use.backend})" for use in judged.services)
    console.say(f"{title}: {judged.outcome} in {judged.duration_s:.1f} s on {used}")
    if judged.outcome != outcome:
        raise AuthoringError(
            f"{lab.slug}: expected {title} to be {outcome}, found {judged.outcome}",
            hint="the exit status and the report above say why",
        )


@contextmanager
def _own_home(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """An environment with a home of its own, so that stopping its servers stops nobody else's."""
    with tempfile.TemporaryDirectory(prefix="labrunner-home-") as folder:
        # Others may pass through, because servers run as an unprivileged user when this one is root.
        Path(folder).chmod(0o711)
        own = {**environ, "LABRUNNER_HOME": str(Path(folder) / "home")}
        try:
            yield own
        finally:
            forget(own)
