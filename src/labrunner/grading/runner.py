"""The grader's process: a pytest of our own, configured by us alone, that grades one submission.

Started as `python -I -m labrunner.grading.runner JOB EVENTS REQUESTS`, three inherited descriptors.
"""

import contextlib
import ctypes
import io
import os
import resource
import socket
import sys
from importlib import resources
from pathlib import Path

import pytest

from labrunner.grading.deadline import Deadline
from labrunner.grading.job import Job, job_from_json
from labrunner.grading.plugin import GradingPlugin
from labrunner.grading.requests import RequestedLeases
from labrunner.kit import context, fixtures

_PR_SET_DUMPABLE = 4
# What pytest brings that a grader does not need, or that would act on files beside it.
_OFF = (
    "cacheprovider",
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "legacypath",
    "logging",
    "nose",
    "pastebin",
    "setuponly",
    "setupplan",
    "stepwise",
    "terminal",
    "terminalprogress",
    "threadexception",
    "unittest",
    "unraisableexception",
)


def main() -> int:
    """Grade as the job says; the exit status is 0 whenever the closing event was sent."""
    job_file, event_file, request_socket = map(int, sys.argv[1:4])
    for descriptor in (job_file, event_file, request_socket):
        os.set_inheritable(descriptor, False)
    _close_to_others()
    with os.fdopen(job_file, encoding="utf-8") as file:
        job = job_from_json(file.read())
    with os.fdopen(event_file, "wb") as sink, socket.socket(fileno=request_socket) as requests:
        deadline = Deadline(job.limits.check_s, job.limits.run_s)

        def send(line: bytes) -> None:
            sink.write(line)
            sink.flush()

        plugin = GradingPlugin(job, deadline, send)
        # Our own bytecode is kept, to be compiled once; a grader's folder stays as its author left it.
        sys.dont_write_bytecode = True
        # A grader may have modules of its own beside its tests; the standard library's names come first.
        sys.path.append(str(job.grader))
        with contextlib.redirect_stderr(io.StringIO()) as said:
            status = pytest.main(_arguments(job), plugins=[plugin, fixtures, _Given(job, deadline, requests)])
        sys.stderr.write(said.getvalue())
        if status in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR}:
            plugin.broken(*_refusal(said.getvalue(), job.grader))
        plugin.finish()
    return 0


class _Given:
    """Hands the run's context to the kit's fixtures."""

    def __init__(self, job: Job, deadline: Deadline, requests: socket.socket) -> None:
        self._context = context.Context(
            workspace=job.workspace,
            interface=job.interface,
            learner_patterns=job.learner_patterns,
            seed=job.seed,
            limits=job.limits,
            leases=RequestedLeases(requests, deadline),
        )

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[context.KEY] = self._context


def _arguments(job: Job) -> list[str]:
    settings = Path(str(resources.files("labrunner.grading") / "pytest.ini"))
    off = [word for name in _OFF for word in ("-p", f"no:{name}")]
    return [
        *off,
        f"--rootdir={job.grader}",
        f"--confcutdir={job.grader}",
        "-c",
        str(settings),
        "--import-mode=importlib",
        "--assert=plain",
        "--strict-markers",
        "--continue-on-collection-errors",
        *(str(stage.tests) for stage in job.stages),
    ]


def _refusal(said: str, grader: Path) -> tuple[str, str]:
    """Why pytest did not begin, and where: of a conftest.py that fails, it prints the error behind an E."""
    lines = said.strip().splitlines() or ["pytest said nothing"]
    errors = [line.removeprefix("E ").strip() for line in lines if line.startswith("E ")]
    return (errors or lines)[-1], str(grader / "conftest.py") if errors else str(grader)


def _close_to_others() -> None:
    """No core file and no tracing by other processes of this user: this memory holds credentials."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Everything has been sent and closed; taking the interpreter down piece by piece would only take time.
    os._exit(status)
