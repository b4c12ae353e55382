"""Every error that labrunner raises on purpose, and the exit status each maps to."""

from typing import ClassVar


class LabrunnerError(Exception):
    """An error with a remedy.

    `str(error)` is one sentence: what was expected, what was found, where.
    `hint` says what to do next; it may be empty, never None.
    """

    exit_status: ClassVar[int] = 70
    blame: ClassVar[str] = "labrunner"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(LabrunnerError):
    """What was typed cannot be done: an unknown slug, a folder that is no workspace. Exit 2."""

    exit_status = 2
    blame = "usage"


class AuthoringError(LabrunnerError):
    """A lab or its grader is written wrongly; the message names the file and the key. Exit 3."""

    exit_status = 3
    blame = "lab"


class MachineError(LabrunnerError):
    """This machine lacks something; the message says what was probed. Exit 4."""

    exit_status = 4
    blame = "machine"
