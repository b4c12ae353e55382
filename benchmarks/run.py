"""`make bench`: where labrunner stands against its budgets, on this machine, now. README.md explains it."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Measure and print; 0 when every row could be measured, over budget or not, else 1."""
    # Started as a file, so the folder of this package is not on the path yet.
    sys.path.insert(0, str(ROOT))
    from benchmarks import rows, table
    from benchmarks.measuring import measured
    from benchmarks.surroundings import surroundings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    parser.add_argument("--rounds", type=_rounds, default=10, metavar="N", help="runs of each side (10)")
    parser.add_argument(
        "--only", choices=rows.NAMES, action="append", metavar="NAME", help=f"one of {', '.join(rows.NAMES)}"
    )
    wanted = parser.parse_args()
    # SIGTERM unwinds like Ctrl-C does, so that no server is left.
    signal.signal(signal.SIGTERM, _terminated)
    results = []
    with surroundings(ROOT) as around:
        for row in rows.rows(around):
            if not wanted.only or row.name in wanted.only:
                print(f"measuring {row.name}", file=sys.stderr, flush=True)
                results.append(measured(row, wanted.rounds))
    print(table.as_json(results, wanted.rounds) if wanted.json else table.as_text(results, wanted.rounds))
    return 1 if any(result.missing for result in results) else 0


def _rounds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of rounds, found {text!r}")
    return int(text)


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
