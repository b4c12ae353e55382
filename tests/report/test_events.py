import json
from collections.abc import Callable

import pytest

from labrunner.errors import AuthoringError
from labrunner.model import Fault, Json
from labrunner.report import encoding
from labrunner.report.decoding import decode
from labrunner.report.events import DEPTH, LINE_BYTES, Begin, End, Event, Judged, Start, Waiting

NONCE = "7f3a"


def _changed(line: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(line) | changes).encode()


def _check(**changes: object) -> bytes:
    return _changed(encoding.check(NONCE, Judged("a", "passed", "fine")), **changes)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (encoding.begin(NONCE, ["a", "b"]), Begin(("a", "b"))),
        (encoding.start(NONCE, "a"), Start("a")),
        (encoding.waiting(NONCE, "a", "waits for b"), Waiting("a", "waits for b")),
        (encoding.end(NONCE, 2), End(2)),
    ],
)
def test_an_event_is_one_line_and_is_read_as_it_was_written(line: bytes, event: Event) -> None:
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line, NONCE) == event
    assert decode(line.removesuffix(b"\n"), NONCE) == event


@pytest.mark.parametrize(
    "judged",
    [
        Judged("a", "passed", evidence={}, duration_s=0.25),
        Judged("a", "failed", "too\nmany", "1", "2", {"plan": ["Seq Scan", {"rows": 3.5}], "ü": None}, 1.0),
        Judged(
            "a", "not_judged", "gone", evidence={}, fault=Fault("machine", "the server went away", "start it")
        ),
        Judged("a", "failed", "lone \ud800 and \x00 and 😀", evidence={}),
    ],
)
def test_a_checks_outcome_is_read_as_it_was_written(judged: Judged) -> None:
    assert decode(encoding.check(NONCE, judged), NONCE) == judged


def test_a_check_that_names_no_evidence_is_read_with_empty_evidence() -> None:
    assert decode(encoding.check(NONCE, Judged("a", "passed")), NONCE) == Judged("a", "passed", evidence={})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "it is no plain JSON"),
        (b"{", "it is no plain JSON"),
        (b"\xff{}", "it is no plain JSON"),
        (b"[]", "it is no JSON object"),
        (b'"passed"', "it is no JSON object"),
        (b"{}", "its nonce is not this run's"),
        (b'{"event":"end",\n"nonce":"7f3a","reported":0}', "it is more than one line"),
        (encoding.start("other", "a"), "its nonce is not this run's"),
        (_changed(encoding.start(NONCE, "a"), nonce=None), "its nonce is not this run's"),
        (_changed(encoding.start(NONCE, "a"), event="stop"), "'stop' is no event"),
        (_changed(encoding.start(NONCE, "a"), event=["start"]), "is no event"),
        (_changed(encoding.start(NONCE, "a"), check=1), "check is no text"),
        (_changed(encoding.start(NONCE, "a"), extra=1), "the event start has the wrong keys: extra"),
        (b'{"event":"end","nonce":"7f3a"}', "the event end has the wrong keys: reported"),
        (b'{"event":"end","nonce":"7f3a","reported":0,"reported":0}', "it has a key twice"),
        (b'{"event":"end","nonce":"7f3a","reported":true}', "reported is no count"),
        (b'{"event":"end","nonce":"7f3a","reported":1.0}', "reported is no count"),
        (b'{"event":"end","nonce":"7f3a","reported":-1}', "reported is no count"),
        (b'{"event":"end","nonce":"7f3a","reported":NaN}', "the number NaN is not finite"),
        (b'{"event":"end","nonce":"7f3a","reported":-Infinity}', "the number -Infinity is not finite"),
        (b'{"event":"end","nonce":"7f3a","reported":1e999}', "the number 1e999 is not finite"),
        (b'{"event":"end","nonce":"7f3a","reported":' + b"9" * 5000 + b"}", "it is no plain JSON"),
        (_changed(encoding.begin(NONCE, []), checks="a"), "checks is no list of ids"),
        (_changed(encoding.begin(NONCE, []), checks=["a", 1]), "checks is no list of ids"),
        (_check(outcome="skipped"), "'skipped' is no outcome"),
        (_check(outcome=True), "outcome is no text"),
        (_check(message=None), "message is no text"),
        (_check(expected=1), "expected is no text"),
        (_check(seen=["x"]), "seen is no text"),
        (_check(evidence=[]), "evidence is no object"),
        (_check(duration_s=1), "duration_s is no number of seconds"),
        (_check(duration_s=-0.5), "duration_s is no number of seconds"),
        (_check(duration_s=True), "duration_s is no number of seconds"),
        (_check(outcome="not_judged"), "the outcome not_judged and the fault contradict each other"),
        (
            _check(fault={"blame": "lab", "message": "m", "remedy": "r"}),
            "the outcome passed and the fault contradict each other",
        ),
        (_check(outcome="not_judged", fault="lab"), "fault is no object of blame, message and remedy"),
        (
            _check(outcome="not_judged", fault={"blame": "lab"}),
            "fault is no object of blame, message and remedy",
        ),
        (
            _check(outcome="not_judged", fault={"blame": "learner", "message": "m", "remedy": "r"}),
            "'learner' is nobody to blame",
        ),
    ],
)
def test_a_line_that_is_no_event_of_this_run_is_refused_and_says_why(line: bytes, words: str) -> None:
    with pytest.raises(AuthoringError) as caught:
        decode(line, NONCE)
    assert words in str(caught.value)
    assert "labrunner.report.events" in caught.value.hint


def test_a_line_over_one_megabyte_is_refused() -> None:
    line = encoding.start(NONCE, "a").rstrip() + b" " * LINE_BYTES
    with pytest.raises(AuthoringError, match=f"more than {LINE_BYTES}"):
        decode(line, NONCE)


@pytest.mark.parametrize("levels", [DEPTH + 1, 900, 100_000])
def test_a_line_that_is_nested_too_deep_is_refused(levels: int) -> None:
    deep = b'{"nonce":"7f3a","event":"end","reported":' + b"[" * levels + b"]" * levels + b"}"
    with pytest.raises(AuthoringError, match=r"nested more than|no plain JSON"):
        decode(deep, NONCE)


def test_texts_that_are_too_long_for_a_line_are_cut_in_the_middle() -> None:
    judged = Judged(
        "a", "failed", "m" * 2_000_000, "e" * 2_000_000, "\x00" * 2_000_000, {"k" * 300: ["v" * 9]}
    )
    line = encoding.check(NONCE, judged)
    read = decode(line, NONCE)
    assert len(line) <= LINE_BYTES
    assert isinstance(read, Judged)
    assert read.evidence == {"k" * 300: ["v" * 9]}
    assert "characters are missing" in read.message
    assert "characters are missing" in (read.seen or "")


def test_evidence_that_stays_too_large_is_left_out_and_says_so() -> None:
    fault = Fault("lab", "f" * 2_000_000, "r")
    numbers: list[Json] = list(range(400_000))
    read = decode(
        encoding.check(NONCE, Judged("a", "not_judged", evidence={"n": numbers}, fault=fault)), NONCE
    )
    assert isinstance(read, Judged)
    assert list(read.evidence or {}) == ["left out"]
    assert "is too large for a report" in str((read.evidence or {})["left out"])
    assert read.fault is not None
    assert read.fault.message.startswith("fff")


def _deep(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "evidence",
    [
        {"n": float("nan")},
        {"n": float("inf")},
        {"n": {1, 2}},
        {"n": b"bytes"},
        {"n": 10**5000},
        {1: "a", "1": "b"},
        {"n": _deep(40)},
        {"n": _deep(50_000)},
    ],
    ids=["nan", "inf", "set", "bytes", "huge", "same-keys", "deep", "deeper"],
)
def test_evidence_that_is_no_plain_json_is_refused_with_the_check_and_the_remedy(
    evidence: dict[str, Json],
) -> None:
    with pytest.raises(AuthoringError) as caught:
        encoding.check(NONCE, Judged("email-lookup", "failed", evidence=evidence))
    assert str(caught.value).startswith("check 'email-lookup': its result cannot be reported: ")
    assert "plain JSON data" in caught.value.hint


def test_an_outcome_without_its_fault_cannot_be_sent() -> None:
    with pytest.raises(AuthoringError, match="contradict each other"):
        encoding.check(NONCE, Judged("a", "not_judged"))


@pytest.mark.parametrize(
    "build",
    [
        lambda: encoding.begin(NONCE, ["a" * 600_000, "b" * 600_000]),
        lambda: encoding.start(NONCE, "a" * LINE_BYTES),
        lambda: encoding.end(NONCE, -1),
    ],
)
def test_a_line_that_the_reader_would_refuse_is_not_written(build: Callable[[], bytes]) -> None:
    with pytest.raises(AuthoringError):
        build()


def test_what_a_check_waits_for_is_cut_to_fit_a_line() -> None:
    read = decode(encoding.waiting(NONCE, "a", "x" * 2_000_000), NONCE)
    assert isinstance(read, Waiting)
    assert len(read.message) == 100_000
