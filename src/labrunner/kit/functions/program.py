"""A learner's program whose functions a grader calls, and how they can be called beside the plain way."""
# ruff: noqa: ANN401 - what comes from the learner may be anything

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

from labrunner.errors import AuthoringError
from labrunner.kit.functions.proxies import Function, Module, Object, link_of, parts_of
from labrunner.kit.functions.remote import Call, Remote
from labrunner.kit.functions.talk import Process

CALL_S = 10.0


class FunctionProgram:
    """A running program of the learner's, which has the other end of a connected stream socket.

    `call_s` are the seconds that one request may take, all that it calls back included. A program that does
    not answer as it should is ended, and each request after that fails the check.
    """

    def __init__(
        self,
        connection: socket.socket,
        process: Process,
        *,
        call_s: float = CALL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._remote = Remote(connection, process, call_s=call_s, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, name: str) -> Module:
        """Import a module of the learner's and return what stands for it.

        Raises Failure, with words for the learner, if it is missing, or fails as it is imported.
        """
        if not all(part.isidentifier() for part in name.split(".")):
            raise AuthoringError(f"{name!r} is not the name of a module", hint="give it as `import` takes it")
        return self._remote.load(name)

    @property
    def has_ended(self) -> bool:
        """Whether nothing can be asked of it any more."""
        return self._remote.talk.has_ended

    def close(self) -> None:
        """Let the program end: without the grader it has nothing to do."""
        self._remote.talk.close()


def awaited(function: Function | Object, *arguments: object, **keywords: object) -> Any:
    """Call an async function and await what it returns, in the event loop of the learner's program."""
    call = _call(function, arguments, keywords)
    return _remote(call[0]).call(call, awaits=True)


def held(function: Function | Object, *arguments: object, **keywords: object) -> Any:
    """Call a function and return an Object whatever it returns: a list of which it must stay that list."""
    call = _call(function, arguments, keywords)
    return _remote(call[0]).call(call, hold=True)


def together(*calls: partial[Any], awaits: bool = False) -> list[Any]:
    """Make calls at once, each a `functools.partial`: in as many threads, or in tasks if `awaits`.

    Returns what each returned, in their order; for one that raised, its Raised.
    """
    made = [_call(call.func, call.args, call.keywords) for call in calls]
    return _remote(made[0][0]).together(made, awaits=awaits) if made else []


def plain(value: Object) -> Any:
    """Return an object as plain data, as it is now: the Record of a dataclass instance."""
    return _remote(value).native("itself", value)


def operate(name: str, *operands: object) -> Any:
    """Use one of Python's functions or operators on the learner's objects, in their program.

    `name` is that of a function of the modules `operator` or `builtins`: "eq", "str", "hash", "isinstance";
    or "exit", whose operands are a context manager and an exception or None. What comes of it is the
    learner's word, and no evidence.
    """
    return _remote(*operands).native(name, *operands)


def release(*objects: Object) -> None:
    """Have the program forget objects at once. Nothing can be done with them afterwards."""
    if objects:
        _remote(*objects).release(objects)


def iterated(iterable: Object) -> Iterator[Any]:
    """Yield the items of an async iterable; each is asked for when it is wanted."""
    iterator = _remote(iterable).native("aiter", iterable, hold=True)
    while True:
        found = _remote(iterable).native_of(list, "anext", iterator, awaits=True)
        if not found:
            return
        yield found[0]


@contextmanager
def entered(manager: Object) -> Iterator[Any]:
    """Enter an async context manager, and leave it with the block, whose exception it cannot swallow."""
    remote = _remote(manager)
    value = remote.native("aenter", manager, awaits=True)
    try:
        yield value
    except Exception as error:
        remote.leave("aexit", manager, error, awaits=True)
        raise
    remote.leave("aexit", manager, None, awaits=True)


def _call(function: object, arguments: Sequence[object], keywords: Mapping[str, object]) -> Call:
    if isinstance(function, Function):
        return *parts_of(function), arguments, keywords
    if isinstance(function, Object):
        return function, None, arguments, keywords
    raise AuthoringError(f"{function!r} is no function of the learner's", hint="take it from a loaded module")


def _remote(*operands: object) -> Remote:
    for operand in operands:
        owner = parts_of(operand)[0] if isinstance(operand, Function) else operand
        if isinstance(owner, Object):
            return link_of(owner).program
    raise AuthoringError("no operand is the learner's", hint="use Python's own operators on plain values")
