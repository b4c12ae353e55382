"""Exceptions of the learner's code, as facts about them."""

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labrunner.kit.failures import Failure
from labrunner.kit.functions.decoding import Decoder, items, number_of, text, texts
from labrunner.kit.functions.notation import Data, MalformedError

FRAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the learner's own files; `function` is empty where a file cannot be compiled."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}" + (f", in {self.function}" if self.function else "")


@dataclass(frozen=True, slots=True)
class Told:
    """What the learner's program says about an exception.

    `kinds` are the names of its class and of all that this extends; `error` stands for the exception itself.
    `origin` is the number of the grader's own exception that it is, `signature` that of a function which does
    not take the arguments it was given, `names` what there is in place of a name that is not there.
    """

    kinds: tuple[str, ...]
    text: str
    frames: tuple[Frame, ...]
    error: object
    origin: int | None
    signature: str | None
    names: tuple[str, ...] | None

    @property
    def line(self) -> str:
        """The exception as Python's own last line would have it."""
        return f"{self.kinds[0]}: {self.text}" if self.text else self.kinds[0]

    @property
    def place(self) -> str:
        """The innermost of the learner's frames, one a line; each line begins with a line break."""
        return "".join(f"\n  {frame}" for frame in self.frames[-FRAMES_SHOWN:])


def told(data: Data, decoder: Decoder) -> Told:
    """Return what a message tells about an exception. Raises MalformedError."""
    if type(data) is not dict or not {"kinds", "text", "frames", "origin", "held"} <= data.keys():
        raise MalformedError("an exception is not described as one")
    kinds, held = texts(data["kinds"]), data["held"]
    if not kinds or type(held) is not dict or list(held) != ["object"]:
        raise MalformedError("an exception is not described as one")
    return Told(
        kinds,
        text(data["text"]),
        tuple(_frame(*items(frame, 3)) for frame in items(data["frames"])),
        decoder.value(held),
        None if data["origin"] is None else number_of(data["origin"]),
        text(data["signature"]) if "signature" in data else None,
        texts(data["names"]) if "names" in data else None,
    )


def _frame(file: Data, line: Data, function: Data) -> Frame:
    if type(line) is not int:
        raise MalformedError("a frame has no line")
    return Frame(text(file), line, text(function))


class Raised(Failure):
    """The learner's code raised an exception. Where a check does not expect it, the check fails with it.

    `kinds` are the names of the exception's class and of all that this extends, bare ones only for Python's
    own; `text` is its text, `frames` are the learner's own, the innermost last; `error` stands for the
    exception itself; `original` is the grader's own exception if it came from a call-back, and went through.
    """

    def __init__(self, call: str, facts: Told, original: Exception | None = None) -> None:
        super().__init__(
            f"{call} raised {facts.line}{facts.place}",
            seen=facts.line,
            evidence={"frames": [str(frame) for frame in facts.frames]},
        )
        self.call = call
        self.kinds = facts.kinds
        self.text = facts.text
        self.frames = facts.frames
        self.error: Any = facts.error
        self.original = original

    def is_a(self, name: str) -> bool:
        """Whether it is of a class of this name, or of one that extends it.

        The name of one of Python's own classes means that class; another may do without its module's name.
        """
        if hasattr(builtins, name):
            return name in self.kinds
        return any(name == kind or kind.endswith(f".{name}") for kind in self.kinds)


class Throw(Exception):  # noqa: N818 (a call-back raises it as one raises an exception)
    """Raised in a call-back: the learner's code gets `error`, an exception made by calling their class."""

    def __init__(self, error: object) -> None:
        super().__init__("an exception of the learner's own")
        self.error = error


class Caught:
    """What `raises` gives: `raised` is the exception, when the block has ended."""

    raised: Raised


@contextmanager
def raises(*names: str) -> Iterator[Caught]:
    """Fail unless the learner's code raises, in this block, an exception of a class of one of these names.

    A call that does not fit a function's parameters is a failure all the same, and no TypeError.
    """
    expected = " or ".join(names)
    caught = Caught()
    try:
        yield caught
    except Raised as raised:
        if not any(map(raised.is_a, names)):
            raise Failure(
                raised.message, expected=expected, seen=raised.seen, evidence=raised.evidence
            ) from None
        caught.raised = raised
        return
    raise Failure("no exception was raised", expected=expected, seen="no exception")
