"""Turns what is known of a program's end into an `Ending` with a sentence for the learner."""

import os
import signal
from collections.abc import Collection
from dataclasses import dataclass

from labrunner.sandbox.box import MB, Ending, Limit, Limits

_KB = 1 << 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What the supervisor saw: the wait status, why it ended the box (`-`: it did not), limits reached."""

    status: int
    cause: str
    peak_bytes: int
    cpu_s: float
    hits: frozenset[str]


def facts(words: str) -> Facts:
    """Read the supervisor's last line, without its first word. Raises ValueError when it is malformed."""
    status, cause, peak, milliseconds, hits = words.split(" ")
    return Facts(int(status), cause, int(peak), int(milliseconds) / 1000, frozenset(hits.split(",")) - {"-"})


def ending(seen: Facts, limits: Limits, *, output: bool, kernel: Collection[str] = ()) -> Ending:
    """The ending of a program; `output` says that we ended it for what it printed.

    `kernel` has the limits that the control group enforced.
    """
    code = os.waitstatus_to_exitcode(seen.status)
    limit = "output" if output else _limit(seen, limits, code, kernel)
    words = _broken(limit, limits, code) if limit else _plain(code)
    return Ending(code if code >= 0 else None, -code if code < 0 else None, limit, words)


def vanished(limits: Limits, *, output: bool, kernel: Collection[str] = ()) -> Ending:
    """The ending of a program whose box was ended as a whole, so that nobody saw the program end."""
    seen = Facts(signal.SIGKILL, "told", 0, 0.0, frozenset())
    return ending(seen, limits, output=output, kernel=kernel)


def overdue(limits: Limits) -> Ending:
    """The ending of a program whose box did not even answer at its deadline."""
    return Ending(None, signal.SIGKILL, "time", _words("time", limits))


def _limit(seen: Facts, limits: Limits, code: int, kernel: Collection[str]) -> Limit | None:
    """The limit that ended the program, or else the one that it reached before it failed."""
    causes: dict[str, Limit] = {
        "memory": "memory",
        "processes": "processes",
        "disk": "disk",
        "time": "time",
    }
    if seen.cause in causes:
        return causes[seen.cause]
    if seen.cause == "told" and not kernel:
        return None
    cpu_s = limits.cpu_s or limits.time_s
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and seen.cpu_s >= cpu_s):
        return "time"
    if code == -signal.SIGXFSZ:
        return "file"
    if code == 0:
        return None
    reached = seen.hits | set(kernel) | ({"memory"} if seen.peak_bytes >= limits.memory_bytes else set())
    order: tuple[Limit, ...] = ("memory", "disk", "file", "processes", "descriptors")
    return next((name for name in order if name in reached), None)


def _broken(limit: Limit, limits: Limits, code: int) -> str:
    if limit == "time" and code == -signal.SIGXCPU:
        return f"your program used more than {limits.cpu_s or limits.time_s:g} s of the processor's time"
    return _words(limit, limits)


def _words(limit: Limit, limits: Limits) -> str:
    return {
        "memory": f"your program used more than {size(limits.memory_bytes)} of memory",
        "time": f"your program did not end within {limits.time_s:g} s",
        "processes": f"your program had more than {limits.processes} processes and threads at once",
        "output": f"your program printed more than {size(limits.output_bytes)}",
        "disk": f"your program filled its {size(limits.disk_bytes)} of disk",
        "file": f"your program wrote a file of more than {size(limits.file_bytes)}",
        "descriptors": f"your program had more than {limits.descriptors} files and connections open at once",
    }[limit]


def _plain(code: int) -> str:
    if code >= 0:
        return f"your program ended with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"your program was ended by {name}"


def size(count: int) -> str:
    """A size in the largest unit that it is a whole number of: 512 MB, 64 KB, 1000 bytes."""
    for unit, word in ((MB, "MB"), (_KB, "KB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {word}"
    return f"{count} bytes"
