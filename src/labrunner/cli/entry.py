"""The way in, and the one place where errors become exit statuses."""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from labrunner.errors import LabrunnerError

if TYPE_CHECKING:
    from labrunner.cli.console import Console

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
        _leave(error.exit_status)
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else 0)
    except Exception as error:  # noqa: BLE001 - whatever else arrives here is our own fault, and said so
        _console().error(_own_fault(error))
        _leave(_BUG)
    _leave(0)


def _own_fault(error: Exception) -> LabrunnerError:
    import traceback

    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(where.filename)}:{where.lineno}"  # noqa: PTH119 - a name to print
    return LabrunnerError(
        f"labrunner met a fault of its own: {type(error).__name__}: {error} ({place})",
        hint="your files are untouched; please report it with this line and the output of --version",
    )


def _leave(status: int) -> NoReturn:
    """Exit without taking the interpreter down piece by piece: every `with` block has ended by now."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _console() -> "Console":
    from labrunner.cli.console import Console

    return Console.of(os.environ, sys.stdout, sys.stderr)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(_TERMINATED)
