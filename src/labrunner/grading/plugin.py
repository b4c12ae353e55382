"""The pytest plugin inside the grader's process: it decides what runs, and sends what happened."""

from collections.abc import Callable, Generator

import pytest

from labrunner.errors import AuthoringError
from labrunner.grading.deadline import Deadline
from labrunner.grading.job import Job, JobCheck
from labrunner.grading.verdict import MEND, judged_from, place
from labrunner.model import Fault
from labrunner.report import encoding
from labrunner.report.events import Judged


class WaitingError(BaseException):
    """Keeps a check from running that waits for another."""


class GradingPlugin:
    """Runs the job's checks in the job's order, and sends one event for each and a closing one."""

    def __init__(self, job: Job, deadline: Deadline, send: Callable[[bytes], None]) -> None:
        self._job = job
        self._deadline = deadline
        self._send = send
        self._checks = {check.id: check for stage in job.stages for check in stage.checks}
        self._stage = {check.id: stage.id for stage in job.stages for check in stage.checks}
        self._passed: set[str] = set()
        self._reported: list[str] = []
        self._stopped_in: str | None = None
        self._broken: Fault | None = None
        self._raised: pytest.ExceptionInfo[BaseException] | None = None
        self._xfailed = False
        self._seconds = 0.0
        self._waits: str | None = None

    def pytest_exception_interact(
        self, call: pytest.CallInfo[object], report: pytest.CollectReport | pytest.TestReport
    ) -> None:
        """Remember why a test file could not be collected."""
        if isinstance(report, pytest.CollectReport) and self._broken is None and call.excinfo is not None:
            # What an import raised is the cause of pytest's own error about it.
            error = call.excinfo.value.__cause__ or call.excinfo.value
            self.broken(f"{type(error).__name__}: {error}", place(error, self._job.grader))

    def broken(self, words: str, where: str) -> None:
        """Judge nothing in this run: the grader itself could not be loaded."""
        first = next((line.strip() for line in words.splitlines() if line.strip()), "no reason given")
        self._broken = Fault("lab", f"{where}: the grader cannot be loaded: {first}", MEND)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the checks in the order of the stages, and open the run."""
        if self._broken is not None:
            return
        order = {check: place for place, check in enumerate(self._checks)}
        items.sort(key=lambda item: order.get(_id(item.nodeid), len(order)))
        self._send(encoding.begin(self._job.nonce, [_id(item.nodeid) for item in items]))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Decide whether the check may run; if so, say that it runs now."""
        check = self._checks.get(_id(nodeid))
        self._raised, self._xfailed, self._seconds = None, False, 0.0
        # A test that the lab does not list is not run; that it was collected is in the opening event.
        self._waits = self._why_waiting(check) if check and self._broken is None else "is not judged"
        self._deadline.renew()
        if self._waits is None:
            self._send(encoding.start(self._job.nonce, _id(nodeid)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        if self._waits is not None:
            # Raised before any fixture is made; what earlier checks made is still torn down in its turn.
            raise WaitingError
        with self._deadline.bounded():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        with self._deadline.bounded():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        with self._deadline.bounded():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep what the first phase that raised has raised."""
        report = yield
        self._seconds += call.duration
        self._raised = self._raised or call.excinfo
        self._xfailed = self._xfailed or hasattr(report, "wasxfail")
        return report

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Send the check's outcome, or what it waits for."""
        if self._waits is not None:
            if _id(nodeid) in self._checks and self._broken is None:
                self._send(encoding.waiting(self._job.nonce, _id(nodeid), self._waits))
                self._reported.append(_id(nodeid))
            return
        judged = judged_from(
            _id(nodeid),
            self._raised.value if self._raised else None,
            grader=self._job.grader,
            check_s=self._deadline.check_s,
            seconds=self._seconds,
        )
        if self._xfailed and judged.outcome == "passed":
            judged = _unjudged(_id(nodeid), "the grader expects this check to fail, which is not a verdict")
        self._report(judged)

    def finish(self) -> None:
        """Send what is still owed, and the closing event; to be called after pytest has ended."""
        if self._broken is not None and not self._reported:
            self._send(encoding.begin(self._job.nonce, list(self._checks)))
            for check in self._checks:
                self._send(encoding.start(self._job.nonce, check))
                self._report(Judged(check, "not_judged", fault=self._broken))
        self._send(encoding.end(self._job.nonce, len(self._reported)))

    def _report(self, judged: Judged) -> None:
        try:
            line = encoding.check(self._job.nonce, judged)
        except AuthoringError as error:
            judged = _unjudged(judged.check, str(error))
            line = encoding.check(self._job.nonce, judged)
        self._send(line)
        self._reported.append(judged.check)
        if judged.outcome == "passed":
            self._passed.add(judged.check)
        elif not self._job.every_stage and self._stopped_in is None:
            self._stopped_in = self._stage[judged.check]

    def _why_waiting(self, check: JobCheck) -> str | None:
        if self._stopped_in not in {None, self._stage[check.id]}:
            title = next(stage.title for stage in self._job.stages if stage.id == self._stopped_in)
            return f"waits for the stage '{title}'"
        for needed in check.needs:
            if needed in self._checks and needed not in self._passed:
                return f"waits for: {self._checks[needed].sentence}"
        return None


def _unjudged(check: str, why: str) -> Judged:
    return Judged(check, "not_judged", fault=Fault("lab", why, MEND))


def _id(nodeid: str) -> str:
    return nodeid.rpartition("::")[2].removeprefix("test_").replace("_", "-")
