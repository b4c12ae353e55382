"""The way in, and the one place where errors become exit statuses."""

import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

from labrunner.cli.console import Console
from labrunner.errors import LabrunnerError

_TERMINATED = 128 + signal.SIGTERM
_BUG = 70


def main() -> NoReturn:
    """Run the command in `sys.argv` and exit with the status that docs/architecture.md lists."""
    # SIGTERM unwinds like Ctrl-C does, so that every `with` block gives back what it holds.
    signal.signal(signal.SIGTERM, _terminate)
    from labrunner.cli.learner import app

    try:
        app(prog_name="labrunner")
    except LabrunnerError as error:
        _console().error(error)
        sys.exit(error.exit_status)
    except Exception as error:  # noqa: BLE001 - whatever else arrives here is our own fault, and said so
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"  # noqa: PTH119 - a name to print
        _console().error(
            LabrunnerError(
                f"labrunner met a fault of its own: {type(error).__name__}: {error} ({place})",
                hint="your files are untouched; please report it with this line and the output of --version",
            )
        )
        sys.exit(_BUG)
    sys.exit(0)


def _console() -> Console:
    return Console.of(os.environ, sys.stdout, sys.stderr)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(_TERMINATED)
