"""The results, as one table of plain text or as one JSON document."""

import json
import os
import platform
import statistics
from collections.abc import Sequence

from benchmarks.measuring import Result

_HEAD = ("what", "ours", "against", "it takes", "ratio", "budget", "")
# A longer reason stands below the table.
_SHORT = 20


def as_text(results: Sequence[Result], rounds: int) -> str:
    """A line about the machine, the table, why a row was not measured, and a last line that counts."""
    lines = [_HEAD, *(_cells(result) for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    shown = [
        "   ".join(_aligned(*cell) for cell in zip(line, widths, range(7), strict=True)) for line in lines
    ]
    shown.insert(1, "   ".join("-" * width for width in widths))
    why = [f"{each.row.name}: {each.missing}" for each in results if len(each.missing) > _SHORT]
    return "\n".join([_where(rounds), "", *(line.rstrip() for line in shown), "", *why, _summary(results)])


def as_json(results: Sequence[Result], rounds: int) -> str:
    """The same as data: milliseconds of every round, null where a row was not measured."""
    found = [
        {
            "name": result.row.name,
            "what": result.row.what,
            "ours_ms": statistics.median(result.ours) if result.ours else None,
            "against": result.row.against,
            "against_ms": statistics.median(result.theirs) if result.theirs else None,
            "ratio": None if result.missing else result.ratio,
            "budget": result.row.budget,
            "within": None if result.missing else result.within,
            "missing": result.missing or None,
            "rounds_ms": {"ours": result.ours, "against": result.theirs},
        }
        for result in results
    ]
    return json.dumps({"where": _where(rounds), "rows": found, "summary": _summary(results)}, indent=2)


def _cells(result: Result) -> tuple[str, ...]:
    row = result.row
    budget = f"{row.budget:g}"
    if result.missing:
        stands = result.missing if len(result.missing) <= _SHORT else "not measured, see below"
        return (row.what, "", row.against, "", "", budget, stands)
    ours, theirs = statistics.median(result.ours), statistics.median(result.theirs)
    stands = "under" if result.within else "OVER"
    return (
        row.what,
        f"{ours:.0f} ms",
        row.against,
        f"{theirs:.0f} ms",
        f"{result.ratio:.2f}",
        budget,
        stands,
    )


def _aligned(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column in {1, 3, 4, 5} else text.ljust(width)


def _where(rounds: int) -> str:
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {load}"
    return f"medians of {rounds}, run by turns, on {machine}"


def _summary(results: Sequence[Result]) -> str:
    within, missing = (
        sum(result.within for result in results),
        sum(bool(result.missing) for result in results),
    )
    return f"{within} of {len(results)} within budget" + (f", {missing} not measured" if missing else "")
