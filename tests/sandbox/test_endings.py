"""What a program's end is called."""

import pytest

from labrunner.sandbox.box import MB, Ending, Limits
from labrunner.sandbox.endings import Facts, ending, facts, overdue, size, vanished

LIMITS = Limits(time_s=5.0, memory_bytes=100 * MB)
QUIET = Facts(0, "-", MB, 0.1, frozenset())


def seen(status: int, cause: str = "-", *, peak: int = MB, cpu: float = 0.1, hits: str = "") -> Facts:
    return Facts(status, cause, peak, cpu, frozenset(hits.split()))


@pytest.mark.parametrize(
    ("given", "limit", "words"),
    [
        (seen(0), None, "your program ended with status 0"),
        (seen(3 << 8), None, "your program ended with status 3"),
        (seen(11), None, "your program was ended by SIGSEGV"),
        (seen(40), None, "your program was ended by signal 40"),
        (seen(9, "told"), None, "your program was ended by SIGKILL"),
        (seen(9, "memory"), "memory", "your program used more than 100 MB of memory"),
        (seen(9, "processes"), "processes", "your program had more than 64 processes and threads at once"),
        (seen(9, "disk"), "disk", "your program filled its 64 MB of disk"),
        (seen(9, "time"), "time", "your program did not end within 5 s"),
        (seen(24), "time", "your program used more than 5 s of the processor's time"),
        (seen(9, cpu=5.1), "time", "your program did not end within 5 s"),
        (seen(25), "file", "your program wrote a file of more than 64 MB"),
        # What a program that ended well came close to is nobody's business.
        (seen(0, hits="disk processes", peak=200 * MB), None, "your program ended with status 0"),
        (seen(1 << 8, hits="file processes"), "file", "your program wrote a file of more than 64 MB"),
        (seen(1 << 8, peak=100 * MB), "memory", "your program used more than 100 MB of memory"),
        (
            seen(1 << 8, hits="descriptors"),
            "descriptors",
            "your program had more than 256 files and connections open at once",
        ),
    ],
)
def test_an_ending_names_what_it_was(given: Facts, limit: str | None, words: str) -> None:
    ended = ending(given, LIMITS, output=False)
    assert (ended.limit, ended.words) == (limit, words)
    assert (ended.status is None) != (ended.signal is None)


def test_output_comes_before_everything() -> None:
    ended = ending(seen(9, "told"), LIMITS, output=True)
    assert ended == Ending(None, 9, "output", "your program printed more than 8 MB")


def test_what_the_kernel_enforced_counts() -> None:
    assert ending(seen(9), LIMITS, output=False, kernel={"memory"}).limit == "memory"
    assert ending(seen(1 << 8), LIMITS, output=False, kernel={"processes"}).limit == "processes"
    assert vanished(LIMITS, output=False, kernel={"memory"}).limit == "memory"


def test_an_end_that_nobody_saw_is_a_killing() -> None:
    assert vanished(LIMITS, output=False) == Ending(None, 9, None, "your program was ended by SIGKILL")
    assert vanished(LIMITS, output=True).limit == "output"
    assert overdue(LIMITS) == Ending(None, 9, "time", "your program did not end within 5 s")


def test_the_supervisors_last_line_is_read() -> None:
    assert facts("256 - 1048576 120 disk,file") == Facts(256, "-", MB, 0.12, frozenset({"disk", "file"}))
    assert facts("0 - 1048576 100 -") == QUIET
    with pytest.raises(ValueError, match="not enough values"):
        facts("0 -")


def test_sizes_are_said_in_their_largest_whole_unit() -> None:
    assert [size(count) for count in (512 * MB, 64 << 10, 1_000_000, 10)] == [
        "512 MB",
        "64 KB",
        "1000000 bytes",
        "10 bytes",
    ]
