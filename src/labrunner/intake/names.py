"""The names that a submission's files may have."""

import re
import unicodedata

from labrunner.intake.limits import IntakeLimits, counted
from labrunner.intake.refusal import refused

# Made by tools, made again by tools, and no part of what a learner wrote.
JUNK = frozenset(
    {
        "__MACOSX",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "__pycache__",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        "venv",
        "node_modules",
    }
)

Parts = tuple[str, ...]

_NAME_BYTES = 255
_DRIVE = re.compile(r"[A-Za-z]:")
# Joiners shape letters in several scripts, so they may stand in a name; other invisible characters may not.
_JOINERS = "\u200c\u200d"
# Control, invisible and private characters, lone surrogates, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def decoded(name: bytes) -> str:
    """An entry's name as text; SubmissionError when it is not UTF-8."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise refused(name, "has a name that is not UTF-8") from None


def parts_of(name: str) -> Parts:
    """The components of an archive entry's name, without `.` and doubled slashes; empty for the top itself.

    Raises SubmissionError for a name that points outside, or that acts on a terminal or another system.
    """
    check_characters(name)
    if name.startswith("/"):
        raise refused(name, "is an absolute path")
    if _DRIVE.match(name):
        raise refused(name, "begins with a drive letter")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts:
        raise refused(name, "points outside of the submission")
    return parts


def check_characters(name: str) -> None:
    """Raise SubmissionError when `name` holds a character that would act instead of being read."""
    if "\\" in name:
        raise refused(name, "has a backslash in its name")
    if name.isascii() and name.isprintable():
        return
    for character in name:
        if unicodedata.category(character) in _UNSEEN and character not in _JOINERS:
            raise refused(name, "has an invisible or control character in its name")


def check_path(parts: Parts, limits: IntakeLimits) -> None:
    """Raise SubmissionError for a path to be written that is too long, too deep or looks like an option."""
    path = "/".join(parts)
    if len(path.encode()) > limits.path_bytes:
        raise refused(path, f"has a path of more than {counted(limits.path_bytes)} bytes")
    if len(parts) > limits.depth:
        raise refused(path, f"lies more than {limits.depth} folders deep")
    for part in parts:
        if len(part.encode()) > _NAME_BYTES:
            raise refused(path, f"has a name of more than {_NAME_BYTES} bytes")
        if part.startswith("-"):
            raise refused(path, "has a name that begins with a dash, as an option does")


def is_junk(parts: Parts) -> bool:
    """Whether a path is, or lies in, something that tools leave behind."""
    # A Mac keeps what other systems cannot in files of its own, named `._` and the file's name.
    return any(part in JUNK or part.startswith("._") for part in parts)


def folded(path: str) -> str:
    """The same for any two paths that are one to a system which ignores case or Unicode form."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
