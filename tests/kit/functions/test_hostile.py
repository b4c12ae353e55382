"""Submissions that are wrong and do what they can to pass: each in `hostile/`, by its number in the corpus."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from labrunner.kit.failures import Failure, expect_equal
from labrunner.kit.functions import FunctionProgram, Module, Object, Raised, raises

Running = Callable[..., AbstractContextManager[tuple[FunctionProgram, Any]]]

HOSTILE = Path(__file__).parent / "hostile"
HONEST = "def add(a, b): return a + b"


def adds(solution: Module) -> None:
    """It is the check that all of these want to pass."""
    for a, b in ((0, 1), (2, 3)):
        expect_equal(solution.add(a, b), a + b, "add() does not add")


def refuses(solution: Module) -> None:
    with raises("TypeError"):
        solution.add("a", 1)


def submission(folder: Path, source: str) -> Path:
    (folder / "solution.py").write_text(source, encoding="utf-8", errors="surrogatepass")
    return folder


def graded(
    running: Running, folder: Path, check: Callable[[Module], None], call_s: float = 60.0
) -> tuple[Failure | None, str]:
    """Return what fails the check, or None if it passes, and all that the program printed."""
    with running(folder, call_s=call_s) as (program, process):
        try:
            check(program.load("solution"))
        except Failure as failure:
            return failure, process.words()
        return None, process.words()


@pytest.mark.parametrize(
    ("attack", "check", "words"),
    [
        ("a01_exit_at_import", adds, "the program ended during the import of solution: exit status 0"),
        ("a02_exit", adds, "add() raised SystemExit: 0\n  solution.py, line "),
        ("a02_exit_at_import", adds, "solution.py cannot be imported: SystemExit: 0\n  solution.py, line "),
        ("a03_pytest_exit", adds, "add() raised _pytest.outcomes.Exit: all is well\n  solution.py, line "),
        ("a04_pytest_skip", adds, "add() raised builtins.Skipped: not today\n  solution.py, line "),
        ("a05_skip_module", adds, "solution.py cannot be imported: builtins.Skipped: not today"),
        ("a06_pytest_xfail", adds, "add() raised _pytest.outcomes.XFailed: known\n  solution.py, line "),
        ("a07_atexit", adds, "add() does not add"),
        ("a08_result_file", adds, "the program ended during add(): exit status 0"),
        ("a09_fork", adds, "the program ended during add(): exit status 0"),
        ("a09_fork_answers", adds, "add() does not add"),
        ("a10_stdout", adds, "add() does not add"),
        (
            "a11_descriptors",
            adds,
            "the program wrote bytes to the lab's socket that are no reply, during the import",
        ),
        ("a12_reply_ahead", adds, "the program "),
        ("a12_reply_twice", adds, "the program "),
        ("a12_reply_later", adds, "the program "),
        (
            "a13_status",
            adds,
            "the program ended during add(): exit status 0\nIt printed at last:\n  1 passed",
        ),
        ("d37_equal_to_all", adds, "add() does not add"),
        ("d38_int_subclass", adds, "add() does not add"),
        ("d39_true", adds, "add() does not add"),
        ("d39_float", adds, "add() does not add"),
        ("d40_pickle", adds, "add() does not add"),
        ("d41_deep", adds, "add() returned a value that is nested more than 100 levels deep"),
        ("d41_deep_bytes", adds, "the program sent a message that is no reply: it is nested too deeply"),
        ("d42_digits", adds, "add() returned a number of more than 4 200 digits"),
        (
            "d42_digits_bytes",
            adds,
            "the program sent a message that is no reply: it is not JSON as the protocol has it",
        ),
        ("d43_nan", adds, "add() does not add"),
        ("d43_infinity_bytes", adds, "the program sent a message that is no reply: a number is not finite"),
        (
            "d44_duplicate_keys",
            adds,
            "the program sent a message that is no reply: it is not JSON as the protocol has it",
        ),
        ("d45_control_characters", adds, "add() does not add"),
        ("d46_type_error", refuses, "add() raised builtins.TypeError: unsupported operand"),
        (
            "d47_encoder_error",
            refuses,
            "add() returned a value that raises an exception when it is looked at",
        ),
        (
            "d47_hostile_class",
            refuses,
            "add() returned a value that raises an exception when it is looked at",
        ),
        ("e52_thread", adds, "add() does not add"),
        ("e55_killed", adds, "the program ended during add(): signal SIGKILL"),
        ("e59_recursion", adds, "add() raised RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_no_attack_earns_the_check(
    running: Running, tmp_path: Path, attack: str, check: Callable[[Module], None], words: str
) -> None:
    source = (HOSTILE / f"{attack}.py").read_text()
    failure, _ = graded(running, submission(tmp_path, source), check)
    assert failure is not None
    assert failure.message.startswith(words)
    assert len(failure.message.split()) <= 160
    failure.message.encode()
    json.dumps([failure.expected, failure.seen, failure.evidence], allow_nan=False)
    assert not (tmp_path / "exploded").exists()
    assert attack == "a08_result_file" or not (tmp_path / "report.json").exists()
    for honest in (adds, refuses):
        assert graded(running, submission(tmp_path, HONEST), honest) == (None, "")


def test_a_hang_ends_at_the_deadline_with_what_it_printed(running: Running, tmp_path: Path) -> None:
    source = (HOSTILE / "e51_hang.py").read_text()
    failure, words = graded(running, submission(tmp_path, source), adds, call_s=1)
    assert failure is not None
    assert failure.message == "add() did not finish within 1 s\nIt printed at last:\n  thinking"
    assert failure.evidence == {"output": "thinking"}
    assert words == "thinking\n"


def test_every_attack_is_tried() -> None:
    tried = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in HOSTILE.glob("*.py") if path.stem not in tried] == []


def test_nothing_of_the_graders_is_in_the_programs_memory(running: Running, tmp_path: Path) -> None:
    secret = "hush-" * 2
    source = (HOSTILE / "c29_frames.py").read_text()

    def expects() -> str:
        return secret

    with running(submission(tmp_path, source)) as (program, _):
        much, found, attributes = program.load("solution").looked(expects)
    assert much is True
    assert found == []
    assert list(eval(attributes)) == ["_grader_number"]


def test_what_goes_wrong_in_a_call_back_tells_nothing_but_its_exception(
    running: Running, tmp_path: Path
) -> None:
    source = (HOSTILE / "c34_tracebacks.py").read_text()

    def refuses_secretly() -> NoReturn:
        secret = "hush"
        raise LookupError("no such key") from ValueError(secret)

    with running(submission(tmp_path, source)) as (program, _):
        solution = program.load("solution")
        seen = solution.looked(refuses_secretly)
        assert "LookupError: no such key" in seen
        assert "hush" not in seen
        assert "refuses_secretly" not in seen
        manager = solution.Manager()
        with pytest.raises(Failure, match="the sum is 4711"), manager:
            expect_equal(solution.looked(lambda: 1), 4711, "the sum is 4711")
        assert "4711" not in manager.seen
        assert "the check has ended" in manager.seen


def test_the_program_sees_neither_arguments_nor_the_descriptor_that_it_was_given(
    running: Running, tmp_path: Path
) -> None:
    source = (HOSTILE / "c36_recognising.py").read_text()
    with running(submission(tmp_path, source)) as (program, _):
        arguments, descriptors, _ = program.load("solution").seen()
    assert arguments == []
    assert {"0", "1", "2"} <= set(descriptors)
    # One more is the folder that is being listed.
    assert len(descriptors) == 4


def test_text_that_a_terminal_would_obey_is_data(running: Running, tmp_path: Path) -> None:
    source = (HOSTILE / "d45_control_characters.py").read_text()
    with running(submission(tmp_path, source)) as (program, _):
        solution = program.load("solution")
        assert solution.add(1, 2) == "\ud800\0\x1b[2J\u202e5"
        with pytest.raises(Raised) as caught:
            solution.fail()
    caught.value.message.encode()
    assert caught.value.text == "\\ud800\0\x1b[2J\u202e"


def test_an_object_that_would_explode_where_it_is_unpickled_is_only_an_object(
    running: Running, tmp_path: Path
) -> None:
    source = (HOSTILE / "d40_pickle.py").read_text()
    with running(submission(tmp_path, source)) as (program, _):
        bomb = program.load("solution").add(1, 2)
    assert type(bomb) is Object
    assert not (tmp_path / "exploded").exists()


def test_the_grader_keeps_no_descriptor_of_a_program(running: Running, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for attack in ("a01_exit_at_import", adds, "a11_descriptors", "e55_killed"):
        graded(running, submission(tmp_path, (HOSTILE / f"{attack}.py").read_text()), adds)
    assert len(os.listdir("/proc/self/fd")) == before
