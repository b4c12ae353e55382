"""Why a submission is not taken in, in words that are safe to print."""

from typing import ClassVar

from labrunner.errors import LabrunnerError

_SHOWN = 200


class SubmissionError(LabrunnerError):
    """A submission holds something that is not taken in; the message names the entry. Exit 2."""

    exit_status: ClassVar[int] = 2
    blame: ClassVar[str] = "usage"


def refused(entry: str | bytes, why: str, *, hint: str = "") -> SubmissionError:
    """The error for one entry of a submission: `'a/b' is a link`."""
    return SubmissionError(
        f"{shown(entry)} {why}", hint=hint or "take it out of the submission, and hand that in again"
    )


def shown(name: str | bytes) -> str:
    """A name as it may stand in a message: quoted and printable."""
    return f"'{printable(name)}'"


def printable(name: str | bytes) -> str:
    r"""A name on one line, of at most 200 characters.

    Whatever would act on a terminal or not be seen there is an escape: `\x1b`, `\n`, `\u202e`.
    """
    # One character becomes one or more, so what is past the limit need not be looked at.
    start = name[: _SHOWN + 1]
    text = start.decode("utf-8", "backslashreplace") if isinstance(start, bytes) else start
    escaped = "".join(map(_escape, text))
    return escaped if len(escaped) <= _SHOWN else f"{escaped[: _SHOWN - 1]}…"


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
