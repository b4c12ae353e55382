"""One grade run, seen from the parent: services on one side, the grader's process on the other."""

import datetime as dt
import json
import os
import secrets
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import labrunner
from labrunner import report
from labrunner.grading import requests
from labrunner.grading.job import Job, JobCheck, JobStage
from labrunner.model import Fault, Lab, Report, ServiceUse, Workspace
from labrunner.sandbox import process
from labrunner.sandbox.process import Process
from labrunner.services import BackendChoice, Broker, broker
from labrunner.services.server import Progress

# How much longer than its own deadlines the grader's process may live before it is ended from outside.
_GRACE_S = 10.0
_CHUNK = 1 << 16
_KEPT = ("PATH", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be graded, and how. `seed` repeats a run's drawn inputs; None draws a new one."""

    lab: Lab
    workspace: Workspace
    backend: BackendChoice = "auto"
    every_stage: bool = False
    seed: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


def grade_submission(request: Request, progress: Progress) -> Report:
    """Grade a submission in a process of its own and return the report; nothing of the run is left behind.

    Faults of the lab and of this machine are in the report. KeyboardInterrupt ends the run and its leases.
    """
    begun, started = time.monotonic(), dt.datetime.now(dt.UTC)
    job = _job(request)
    lines, uses, fault = _run(job, request, progress)
    return report.read(
        lines,
        lab=request.lab,
        stages=request.lab.stages,
        nonce=job.nonce,
        services=uses,
        isolation="database role" if request.lab.interface == "sql" else "process",
        seed=job.seed,
        started=started.isoformat(timespec="milliseconds"),
        duration_s=time.monotonic() - begun,
        version=labrunner.__version__,
        fault=fault,
    )


def _run(
    job: Job, request: Request, progress: Progress
) -> tuple[list[bytes], tuple[ServiceUse, ...], Fault | None]:
    """Run the grader beside its services; its record, the services used, a fault if one is known."""
    with ExitStack() as stack:
        # A file without a name: whatever ends this process, it is gone with it.
        output = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))
        ours, theirs = _descriptors(stack, job)
        grader = stack.enter_context(
            process.started(
                [
                    sys.executable,
                    "-I",
                    "-X",
                    "utf8",
                    "-m",
                    "labrunner.grading.runner",
                    *map(str, theirs),
                ],
                environ=_environ(request.environ),
                descriptors=theirs,
                output=output,
            )
        )
        for descriptor in theirs:
            os.close(descriptor)
        services = stack.enter_context(
            broker(request.lab.services, request.backend, request.environ, progress)
        )
        lines, fault = _Conversation(job, grader, services, ours).run()
        return lines, services.uses, fault or _early_end(grader, lines)


class _Conversation:
    """Reads the grader's events and answers its requests, until it closes both."""

    def __init__(
        self, job: Job, grader: Process, services: Broker, ours: tuple[BinaryIO, socket.socket]
    ) -> None:
        self._job = job
        self._grader = grader
        self._services = services
        self._events, self._requests = ours
        self._record = bytearray()
        self._asked = bytearray()

    def run(self) -> tuple[list[bytes], Fault | None]:
        """The event lines, and a fault when the grader had to be ended."""
        left = self._job.limits.run_s + _GRACE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._events, selectors.EVENT_READ)
            selector.register(self._requests, selectors.EVENT_READ)
            while selector.get_map() and left > 0:
                begun = time.monotonic()
                ready = selector.select(timeout=left)
                left -= time.monotonic() - begun
                for key, _ in ready:
                    # The time that a lease takes here is not the grader's.
                    open_still = self._read() if key.fileobj is self._events else self._serve()
                    if not open_still:
                        selector.unregister(key.fileobj)
        return bytes(self._record).splitlines(keepends=True), None if left > 0 else self._hung()

    def _read(self) -> bool:
        chunk = os.read(self._events.fileno(), _CHUNK)
        self._record += chunk
        return bool(chunk)

    def _serve(self) -> bool:
        chunk = self._requests.recv(_CHUNK)
        self._asked += chunk
        while (end := self._asked.find(b"\n")) >= 0:
            line = bytes(self._asked[: end + 1])
            del self._asked[: end + 1]
            self._requests.sendall(requests.answer(line, self._services))
        return bool(chunk)

    def _hung(self) -> Fault:
        self._grader.kill()
        return Fault(
            "lab",
            f"The grader did not end within {self._job.limits.run_s:g} s and did not keep its own deadlines.",
            "raise run_s in lab.toml's [limits], or mend the grader",
        )


def _job(request: Request) -> Job:
    lab = request.lab
    return Job(
        nonce=secrets.token_hex(16),
        grader=lab.grader,
        stages=tuple(
            JobStage(
                stage.id,
                stage.title,
                stage.tests,
                tuple(JobCheck(check.id, check.sentence, check.needs) for check in stage.checks),
            )
            for stage in lab.stages
        ),
        every_stage=request.every_stage,
        workspace=request.workspace.folder,
        interface=lab.interface,
        learner_patterns=lab.files.learner,
        seed=secrets.randbelow(1_000_000) if request.seed is None else request.seed,
        limits=lab.limits,
    )


def _descriptors(stack: ExitStack, job: Job) -> tuple[tuple[BinaryIO, socket.socket], tuple[int, int, int]]:
    """Our ends of the event pipe and the request socket, and the grader's three."""
    with tempfile.TemporaryFile() as document:
        document.write(job.to_json().encode())
        document.seek(0)
        job_descriptor = os.dup(document.fileno())
    receiving, sending = os.pipe()
    ours, theirs = socket.socketpair()
    events = stack.enter_context(os.fdopen(receiving, "rb", buffering=0))
    stack.enter_context(ours)
    return (events, ours), (job_descriptor, sending, theirs.detach())


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    """A clean environment: nothing that pytest, Python or a driver reads may come from outside."""
    kept = {key: environ[key] for key in _KEPT if key in environ}
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _early_end(grader: Process, lines: list[bytes]) -> Fault | None:
    """The fault when the grader's process ended before its closing record, in its own last words."""
    status = grader.wait()
    if status == 0 or (lines and _is_end(lines[-1])):
        return None
    words = grader.words().strip().splitlines()
    return Fault(
        "lab",
        f"The grader's process ended with status {status}: {words[-1] if words else 'it printed nothing'}",
        "mend the grader",
    )


def _is_end(line: bytes) -> bool:
    try:
        return bool(json.loads(line).get("event") == "end")
    except (ValueError, AttributeError):
        return False
