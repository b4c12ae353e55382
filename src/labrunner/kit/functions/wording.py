"""Words for the learner about what their program did instead of answering."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from labrunner.kit.failures import Failure
from labrunner.kit.functions.raised import Told

LINES: Final = 20

# Of what a program says about a value that cannot be sent, the words that the learner reads.
UNSENDABLE: Final[Mapping[str, str]] = {
    "digits": "a number of more than 4 200 digits",
    "depth": "a value that is nested more than 100 levels deep, or that holds itself",
    "size": "more than 1 MB of data",
    "nan": "a signalling NaN",
    "broken": "a value that raises an exception when it is looked at",
    "async": "a coroutine",
    "sync": "what cannot be awaited",
}


def unsendable(call: str, kind: str, words: str) -> Failure:
    """Return the failure for what was returned and cannot cross, or is awaited where it should not be."""
    if kind == "async":
        return Failure(
            f"{call} is an async function, and the lab calls it as a plain one",
            expected="a function made with `def`",
            seen="a coroutine: the function is made with `async def`",
        )
    if kind == "sync":
        return Failure(
            f"{call} cannot be awaited",
            expected="an async function, made with `async def`",
            seen=f"a plain function, which returned an object of type {words}",
        )
    return Failure(
        f"{call} returned {UNSENDABLE[kind]}",
        expected="a value of at most 1 MB, 100 levels and 4 200 digits a number",
        seen=words or UNSENDABLE[kind],
    )


def mismatch(call: str, facts: Told, given: str) -> Failure:
    """Return the failure for a function that does not take the arguments of the lab's call."""
    name = call.removesuffix("()")
    return Failure(
        f"{call} does not take the arguments that the lab gives it: {facts.text}",
        expected=f"a function that takes {given}",
        seen=f"{name}{facts.signature}",
    )


class MissingName(Failure, AttributeError):  # noqa: N818 (a Failure, by its name too)
    """The learner's code lacks a name; it is an AttributeError so that `hasattr` only asks."""


def missing_name(owner: str, name: str, names: Sequence[str]) -> MissingName:
    """Return the failure for a function or an attribute that is not there, with those that are."""
    close = get_close_matches(name, names, n=1)
    return MissingName(
        f"{owner} has no `{name}`" + (f"; did you mean `{close[0]}`?" if close else ""),
        expected=f"`{name}` in {owner}",
        seen=", ".join(names) or "no public names",
    )


def not_loaded(module: str, facts: Told | None, files: Sequence[str]) -> Failure:
    """Return the failure for a module that is missing, or that fails as it is imported."""
    if facts is not None:
        return Failure(
            f"{module}.py cannot be imported: {facts.line}{facts.place}",
            expected=f"a module {module} that can be imported",
            seen=facts.line,
            evidence={"frames": [str(frame) for frame in facts.frames]},
        )
    close = get_close_matches(f"{module}.py", files, n=1)
    return Failure(
        f"{module}.py is missing" + (f"; did you mean {close[0]}?" if close else ""),
        expected=f"a file {module}.py",
        seen=", ".join(files) or "no Python files",
    )


def given(arguments: Sequence[object], keywords: Mapping[str, object]) -> str:
    """Return how many arguments a call has: "2 arguments and `key`"."""
    count = f"{len(arguments)} argument{'' if len(arguments) == 1 else 's'}"
    return " and ".join([count, *(f"`{name}`" for name in keywords)])


def with_output(message: str, output: str, *, expected: str, seen: str) -> Failure:
    """Return a failure that shows the last lines of what the program itself printed."""
    lines = output.splitlines()[-LINES:]
    shown = "".join(f"\n  {line}" for line in lines[-5:])
    return Failure(
        message + (f"\nIt printed at last:{shown}" if lines else ""),
        expected=expected,
        seen=seen,
        evidence={"output": "\n".join(lines)} if lines else None,
    )
