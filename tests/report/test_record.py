import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labrunner import report
from labrunner.model import Check, Fault, FileRoles, Lab, Limits, Report, ServiceUse, Stage
from labrunner.report import encoding
from labrunner.report.events import Judged

NONCE = "5f1e"
FOLDER = Path("labs/shop")
LAB_FAULT = Fault("lab", "the grader would not load", "mend it")
MACHINE_FAULT = Fault("machine", "the server went away", "start it")
OFTEN = settings(deadline=None, derandomize=True, database=None, max_examples=200)


def _stage(stage: str, points: Sequence[int]) -> Stage:
    checks = tuple(
        Check(
            f"{stage}-{number}", stage, f"Behaviour {number} holds", worth, (), 3, FOLDER / "test.py", number
        )
        for number, worth in enumerate(points, start=1)
    )
    return Stage(stage, stage.title(), FOLDER / f"{stage}.md", FOLDER / f"test_{stage}.py", checks)


STAGES = (_stage("lookups", [1, 2]), _stage("joins", [3]))
LAB = Lab(
    slug="shop",
    title="A shop",
    topic="Shops",
    minutes=30,
    difficulty="beginner",
    teaches=(),
    requires=(),
    interface="sql",
    services=(),
    stages=(*STAGES, _stage("budget", [4])),
    files=FileRoles(("*.sql",)),
    limits=Limits(),
    folder=FOLDER,
    grader=FOLDER,
    hash="abc",
)
IDS = ["lookups-1", "lookups-2", "joins-1"]


def _read(lines: Sequence[bytes], fault: Fault | None = None, stages: tuple[Stage, ...] = STAGES) -> Report:
    return report.read(
        lines,
        lab=LAB,
        stages=stages,
        nonce=NONCE,
        services=(ServiceUse("postgres", "embedded", "18.6"),),
        isolation="process",
        seed=4711,
        started="2025-03-01T10:00:00+00:00",
        duration_s=0.8,
        version="0.1",
        fault=fault,
    )


def _ran(check: str, judged: Judged | None = None) -> list[bytes]:
    return [
        encoding.start(NONCE, check),
        encoding.check(NONCE, judged or Judged(check, "passed", duration_s=0.1)),
    ]


def _waits(check: str) -> list[bytes]:
    return [encoding.waiting(NONCE, check, "waits for lookups")]


def _failed(check: str) -> list[bytes]:
    return _ran(check, Judged(check, "failed", "It grew.", "8 blocks", "800 blocks", {"plan": "Seq Scan"}))


def _record(*parts: list[bytes], order: Sequence[str] = IDS, reported: int = 3) -> list[bytes]:
    lines = [line for part in parts for line in part]
    return [encoding.begin(NONCE, order), *lines, encoding.end(NONCE, reported)]


def _all_passed() -> list[bytes]:
    return _record(*(_ran(check) for check in IDS))


def _outcomes(read: Report) -> list[str]:
    return [check.outcome for check in read.checks]


# ── whole records ───────────────────────────────────────────────────────────────────────────────


def test_a_run_in_which_every_check_passed_is_passed() -> None:
    read = _read(_all_passed())
    assert (read.outcome, read.points, read.max_points, read.fault) == ("passed", 6, 6, None)
    assert [(stage.id, stage.outcome, stage.waiting) for stage in read.stages] == [
        ("lookups", "passed", False),
        ("joins", "passed", False),
        ("budget", "not_judged", False),
    ]
    assert [(check.id, check.stage, check.points, check.hints) for check in read.checks] == [
        ("lookups-1", "lookups", 1, 3),
        ("lookups-2", "lookups", 2, 3),
        ("joins-1", "joins", 3, 3),
    ]
    assert report.exit_status(read) == 0


def test_the_facts_of_the_run_are_in_the_report() -> None:
    read = _read(_all_passed())
    assert (read.lab, read.lab_hash, read.labrunner) == ("shop", "abc", "0.1")
    assert (read.isolation, read.seed, read.started, read.duration_s) == (
        "process",
        4711,
        "2025-03-01T10:00:00+00:00",
        0.8,
    )
    assert read.services == (ServiceUse("postgres", "embedded", "18.6"),)


def test_checks_may_report_in_another_order_if_they_announced_it() -> None:
    order = ["joins-1", "lookups-2", "lookups-1"]
    read = _read(_record(*(_ran(check) for check in order), order=order))
    assert read.outcome == "passed"
    assert [check.id for check in read.checks] == IDS


def test_a_failed_check_makes_the_run_failed_and_later_stages_wait() -> None:
    read = _read(_record(_ran("lookups-1"), _failed("lookups-2"), _waits("joins-1")))
    assert (read.outcome, read.points, read.max_points) == ("failed", 1, 6)
    assert _outcomes(read) == ["passed", "failed", "not_judged"]
    assert [(stage.outcome, stage.waiting) for stage in read.stages[:2]] == [
        ("failed", False),
        ("not_judged", True),
    ]
    failed, waiting = read.checks[1:]
    assert (failed.message, failed.expected, failed.seen) == ("It grew.", "8 blocks", "800 blocks")
    assert failed.evidence == {"plan": "Seq Scan"}
    assert (failed.points, failed.max_points) == (0, 2)
    assert (waiting.message, waiting.fault, waiting.points) == ("waits for lookups", None, 0)
    assert report.exit_status(read) == 1


def test_a_stage_of_which_only_some_checks_wait_is_not_waiting() -> None:
    read = _read(_record(_ran("lookups-1"), _waits("lookups-2"), _waits("joins-1")))
    assert [(stage.outcome, stage.waiting) for stage in read.stages[:2]] == [
        ("not_judged", False),
        ("not_judged", True),
    ]


def test_a_run_that_only_waits_is_no_pass_although_nothing_is_at_fault() -> None:
    read = _read(_record(*(_waits(check) for check in IDS)))
    assert (read.outcome, read.fault, read.points) == ("not_judged", None, 0)
    assert report.exit_status(read) == 3


def test_only_the_stages_asked_for_are_in_the_checks_and_the_points() -> None:
    read = _read(_record(_ran("joins-1"), order=["joins-1"], reported=1), stages=STAGES[1:])
    assert (read.outcome, read.max_points) == ("passed", 3)
    assert [stage.id for stage in read.stages] == ["lookups", "joins", "budget"]


def test_a_run_of_no_checks_is_no_pass() -> None:
    read = _read(_record(order=[], reported=0), stages=())
    assert (read.outcome, report.exit_status(read)) == ("not_judged", 3)


def test_a_fault_in_one_check_leaves_the_run_unjudged_and_names_who_is_to_blame() -> None:
    gone = Judged("joins-1", "not_judged", "m", fault=MACHINE_FAULT)
    read = _read(_record(_ran("lookups-1"), _failed("lookups-2"), _ran("joins-1", gone)))
    assert (read.outcome, read.fault, read.checks[2].fault) == ("not_judged", None, MACHINE_FAULT)
    assert report.exit_status(read) == 4


def test_a_fault_of_the_lab_outweighs_one_of_the_machine() -> None:
    lab = Judged("lookups-2", "not_judged", "m", fault=LAB_FAULT)
    machine = Judged("joins-1", "not_judged", "m", fault=MACHINE_FAULT)
    read = _read(_record(_ran("lookups-1"), _ran("lookups-2", lab), _ran("joins-1", machine)))
    assert report.exit_status(read) == 3


# ── records that are not whole ──────────────────────────────────────────────────────────────────


def test_a_check_that_did_not_report_is_not_judged_and_those_before_keep_their_outcome() -> None:
    read = _read(_all_passed()[:4])
    assert _outcomes(read) == ["passed", "not_judged", "not_judged"]
    assert read.outcome == "not_judged"
    assert read.fault is not None
    assert read.fault.blame == "lab"
    assert read.fault.message == (
        "The grader ended before its closing record: 1 of 3 checks had reported. "
        "It was running the check 'lookups-2'."
    )
    assert "mend the grader" in read.fault.remedy
    assert read.checks[1].fault == read.fault
    assert read.checks[1].message == "It did not report."
    assert report.exit_status(read) == 3


def test_a_run_without_its_closing_record_is_no_pass_although_every_check_passed() -> None:
    read = _read(_all_passed()[:-1])
    assert (read.outcome, report.exit_status(read)) == ("not_judged", 3)
    assert read.fault is not None
    assert read.fault.message == "The grader ended before its closing record: 3 of 3 checks had reported."


def test_no_lines_at_all_are_no_pass() -> None:
    read = _read([])
    assert _outcomes(read) == ["not_judged"] * 3
    assert read.fault is not None
    assert "0 of 3 checks had reported" in read.fault.message


def test_a_fault_that_the_caller_knows_of_is_the_reason_for_what_was_not_judged() -> None:
    read = _read(_all_passed()[:4], MACHINE_FAULT)
    assert _outcomes(read) == ["passed", "not_judged", "not_judged"]
    assert (read.fault, read.checks[2].fault) == (MACHINE_FAULT, MACHINE_FAULT)
    assert report.exit_status(read) == 4


def test_a_fault_that_the_caller_knows_of_explains_one_that_the_grader_noticed() -> None:
    confused = Judged("joins-1", "not_judged", "m", fault=Fault("lab", "OperationalError in the grader", ""))
    read = _read(_record(_ran("lookups-1"), _ran("lookups-2"), _ran("joins-1", confused)), MACHINE_FAULT)
    assert read.checks[2].fault == MACHINE_FAULT
    assert report.exit_status(read) == 4


def test_a_fault_that_the_caller_knows_of_outweighs_a_broken_record() -> None:
    read = _read([b"nonsense\n"], MACHINE_FAULT)
    assert read.fault == MACHINE_FAULT
    assert report.exit_status(read) == 4


def test_a_whole_record_is_no_pass_when_the_caller_knows_of_a_fault() -> None:
    read = _read(_all_passed(), LAB_FAULT)
    assert (read.outcome, read.points, report.exit_status(read)) == ("not_judged", 6, 3)


BROKEN: dict[str, tuple[Callable[[], list[bytes]], str]] = {
    "nothing-begun": (
        lambda: _all_passed()[1:],
        "line 1 of its record cannot be used: the run has not begun",
    ),
    "begun-twice": (
        lambda: [_all_passed()[0], *_all_passed()],
        "line 2 of its record cannot be used: the run begins a second time",
    ),
    "announced-twice": (
        lambda: _record(*(_ran(check) for check in IDS), order=[*IDS, "joins-1"]),
        "it announces a check twice",
    ),
    "announced-extra": (
        lambda: _record(*(_ran(check) for check in [*IDS, "bonus"]), order=[*IDS, "bonus"], reported=4),
        "it announces the check 'bonus', which was not asked for",
    ),
    "not-announced": (
        lambda: _record(*(_ran(check) for check in IDS), order=IDS[:2]),
        "it does not announce the check 'joins-1'",
    ),
    "extra": (
        lambda: _record(*(_ran(check) for check in [*IDS, "bonus"]), reported=4),
        "it is not the turn of the check 'bonus'",
    ),
    "twice": (
        lambda: _record(*(_ran(check) for check in [*IDS, "joins-1"]), reported=4),
        "it is not the turn of the check 'joins-1'",
    ),
    "not-started": (
        lambda: _record(_ran("lookups-1"), _ran("lookups-2")[1:], _ran("joins-1")),
        "the check 'lookups-2' reports without having started",
    ),
    "not-ended": (
        lambda: _record(_ran("lookups-1"), _ran("lookups-2")[:1], _ran("joins-1"), reported=2),
        "the check 'lookups-2' has started and not reported",
    ),
    "last-not-ended": (
        lambda: _record(_ran("lookups-1"), _ran("lookups-2"), _ran("joins-1")[:1], reported=2),
        "the check 'joins-1' has started and not reported",
    ),
    "waits-while-it-runs": (
        lambda: _record(_ran("lookups-1"), _ran("lookups-2"), _ran("joins-1")[:1], _waits("joins-1")),
        "the check 'joins-1' has started and not reported",
    ),
    "miscounted": (
        lambda: _record(*(_ran(check) for check in IDS), reported=2),
        "it counts 2 reports, 3 were read",
    ),
    "closed-early": (
        lambda: _record(_ran("lookups-1"), reported=1),
        "2 checks have not reported",
    ),
    "after-the-end": (
        lambda: [*_all_passed(), encoding.start(NONCE, "joins-1")],
        "line 9 of its record cannot be used: it comes after the closing record",
    ),
    "wrong-nonce": (
        lambda: [*_all_passed()[:3], encoding.start("forged", "lookups-2"), *_all_passed()[3:]],
        "its nonce is not this run's",
    ),
    "garbage": (lambda: [*_all_passed()[:3], b"PASSED\n", *_all_passed()[3:]], "it is no plain JSON"),
    "blank": (lambda: [*_all_passed(), b"\n"], "line 9 of its record cannot be used: it is no plain JSON"),
    "too-long": (lambda: [b" " * 2_000_000, *_all_passed()], "it has 2000000 bytes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_in_a_record_that_is_out_of_order_no_check_passes_and_the_fault_says_where(name: str) -> None:
    build, words = BROKEN[name]
    read = _read(build())
    assert (read.outcome, read.points) == ("not_judged", 0)
    assert "passed" not in _outcomes(read)
    assert read.fault is not None
    assert read.fault.blame == "lab"
    assert words in read.fault.message
    assert {check.fault for check in read.checks} == {read.fault}
    assert report.exit_status(read) == 3


def test_a_failure_stays_a_failure_in_a_record_that_is_out_of_order() -> None:
    read = _read([*_record(_ran("lookups-1"), _failed("lookups-2"), _waits("joins-1")), b"x"])
    assert _outcomes(read) == ["not_judged", "failed", "not_judged"]
    assert (read.outcome, report.exit_status(read)) == ("not_judged", 3)


def test_two_outcomes_of_one_check_are_not_a_pass_whichever_comes_first() -> None:
    for first, second in ((_ran, _failed), (_failed, _ran)):
        read = _read(
            _record(first("lookups-1"), second("lookups-1"), _ran("lookups-2"), _ran("joins-1"), reported=4)
        )
        assert read.checks[0].outcome != "passed"
        assert read.outcome == "not_judged"


def test_two_checks_of_the_same_id_are_never_a_pass() -> None:
    twins = (STAGES[1], STAGES[1])
    read = _read(_record(_ran("joins-1"), order=["joins-1"], reported=1), stages=twins)
    assert (read.outcome, read.points) == ("not_judged", 0)


# ── a learner's text ────────────────────────────────────────────────────────────────────────────


def test_every_text_that_may_be_a_learners_is_cleaned() -> None:
    evil = "\x1b[2J\u202e\ud800\r"
    shown = r"\x1b[2J\u202e\ud800\r"
    evidence: dict[str, object] = {evil: [evil, {"deep": evil}]}
    failed = Judged("lookups-1", "failed", evil, evil, evil, evidence)  # type: ignore[arg-type]
    gone = Judged("lookups-2", "not_judged", evil, fault=Fault("machine", evil, evil))
    read = _read(
        _record(
            _ran("lookups-1", failed), _ran("lookups-2", gone), [encoding.waiting(NONCE, "joins-1", evil)]
        )
    )
    first, second, third = read.checks
    assert (first.message, first.expected, first.seen) == (shown, shown, shown)
    assert first.evidence == {shown: [shown, {"deep": shown}]}
    assert (second.message, second.fault) == (shown, Fault("machine", shown, shown))
    assert third.message == shown
    assert "\x1b" not in json.dumps(report.to_json(read), ensure_ascii=False)


def test_a_fault_of_the_caller_is_cleaned() -> None:
    assert _read([], Fault("machine", "a\x1bb", "c\rd")).fault == Fault("machine", r"a\x1bb", r"c\rd")


def test_a_check_id_that_nobody_asked_for_cannot_act_on_a_terminal() -> None:
    read = _read(_record(order=["\x1b[2J" * 100], reported=0))
    assert read.fault is not None
    assert "\x1b" not in read.fault.message
    assert len(read.fault.message) < 800


# ── whatever happens to a record ────────────────────────────────────────────────────────────────

RECORDS = st.sampled_from(
    [
        _all_passed(),
        _record(_ran("lookups-1"), _failed("lookups-2"), _waits("joins-1")),
        _record(_failed("lookups-1"), _ran("lookups-2"), _ran("joins-1")),
    ]
)


def _never_a_pass(mutated: list[bytes], original: list[bytes]) -> None:
    if mutated == original:
        return
    read, honest = _read(mutated), _read(original)
    assert read.outcome == "not_judged"
    assert read.fault is not None
    assert report.exit_status(read) == 3
    for now, before in zip(read.checks, honest.checks, strict=True):
        assert now.points <= before.points
        assert now.outcome != "passed" or before.outcome == "passed"


@OFTEN
@given(lines=RECORDS, data=st.data())
def test_a_record_without_some_of_its_lines_is_never_a_pass(lines: list[bytes], data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    _never_a_pass([line for line, keep in zip(lines, kept, strict=True) if keep], lines)


@OFTEN
@given(lines=RECORDS, data=st.data())
def test_a_record_with_a_line_twice_is_never_a_pass(lines: list[bytes], data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(lines))
    place = data.draw(st.integers(0, len(lines)))
    _never_a_pass([*lines[:place], line, *lines[place:]], lines)


@OFTEN
@given(lines=RECORDS, data=st.data())
def test_a_record_in_another_order_is_never_a_pass(lines: list[bytes], data: st.DataObject) -> None:
    _never_a_pass(data.draw(st.permutations(lines)), lines)


@OFTEN
@given(lines=RECORDS, data=st.data())
def test_a_record_with_a_corrupt_line_is_never_a_pass(lines: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(lines) - 1))
    line = bytearray(lines[place])
    # The closing brace, at the latest: what is lost behind it is only the line end.
    start = data.draw(st.integers(0, len(line) - 2))
    cut = data.draw(st.booleans())
    corrupt = bytes(line[:start]) + b"\n" if cut else bytes(line[:start]) + b"\x00" + bytes(line[start + 1 :])
    _never_a_pass([*lines[:place], corrupt, *lines[place + 1 :]], lines)


@OFTEN
@given(lines=RECORDS, data=st.data(), junk=st.binary(max_size=60))
def test_a_record_with_a_foreign_line_is_never_a_pass(
    lines: list[bytes], data: st.DataObject, junk: bytes
) -> None:
    place = data.draw(st.integers(0, len(lines)))
    _never_a_pass([*lines[:place], junk, *lines[place:]], lines)


@OFTEN
@given(lines=st.lists(st.binary(max_size=200), max_size=10))
def test_lines_of_anything_are_never_a_pass(lines: list[bytes]) -> None:
    _never_a_pass(lines, _all_passed())
