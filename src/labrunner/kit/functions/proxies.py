"""What stands in a grader for the learner's modules, functions and objects."""
# ruff: noqa: ANN401 - what comes from the learner may be anything

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")


class Holder(Protocol):
    """The program that holds the objects, as the proxies of these objects use it."""

    def call(self, call: Any, *, hold: bool = False, awaits: bool = False) -> Any: ...

    def attribute(self, owner: Object, name: str) -> Any: ...

    def native(self, name: str, *operands: object, hold: bool = False, awaits: bool = False) -> Any: ...

    def native_of(self, kind: type[T], name: str, *operands: object, awaits: bool = False) -> T: ...

    def leave(
        self, name: str, manager: Object, error: BaseException | None, *, awaits: bool = False
    ) -> None: ...

    def let_go(self, number: int, times: int) -> None: ...


class Link:
    """Where a proxy leads: an object that a program holds, and how often the program has sent it."""

    __slots__ = ("callables", "kind", "like", "number", "program", "times")

    def __init__(self, program: Holder, number: int, kind: str, like: str) -> None:
        self.program = program
        self.number = number
        self.kind = kind
        self.like = like
        self.times = 0
        # What is known to be callable needs no asking before it is called.
        self.callables: set[str] = set()


def _operator(name: str) -> Callable[..., Any]:
    def operator(self: Object, *operands: object) -> Any:
        return self._labrunner.program.native(name, self, *operands)

    return operator


def _reflected(name: str) -> Callable[[Object, object], Any]:
    def operator(self: Object, other: object) -> Any:
        return self._labrunner.program.native(name, other, self)

    return operator


class Object:
    """An object of the learner's, which stays in their program.

    Attributes, methods, items, iteration, `with`, `in`, truth, order and arithmetic reach it there. `==` does
    not: two of these are equal only if they are the same object, whatever its own `__eq__` says.
    """

    __slots__ = ("__weakref__", "_labrunner")
    _labrunner: Link

    def __init__(self, link: Link) -> None:
        object.__setattr__(self, "_labrunner", link)

    def __del__(self) -> None:
        self._labrunner.program.let_go(self._labrunner.number, self._labrunner.times)

    def __repr__(self) -> str:
        link = self._labrunner
        return f"an object of type {link.kind}" + (f" (a kind of {link.like})" if link.like else "")

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        if name in self._labrunner.callables:
            return Function(self, name)
        return self._labrunner.program.attribute(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        self._labrunner.program.native("setattr", self, name, value)

    def __call__(self, *arguments: object, **keywords: object) -> Any:
        return self._labrunner.program.call((self, None, arguments, keywords))

    def __iter__(self) -> Items:
        return Items(self._labrunner.program.native("iter", self, hold=True))

    def __enter__(self) -> Any:
        return self._labrunner.program.native("enter", self)

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # Not a word about swallowing the exception: it may be the check's own.
        self._labrunner.program.leave("exit", self, error)

    def __next__(self) -> Any:
        return next(Items(self))

    def __bool__(self) -> bool:
        return self._labrunner.program.native_of(bool, "truth", self)

    __neg__, __abs__ = map(_operator, ("neg", "abs"))
    __getitem__, __setitem__, __delitem__ = _operator("getitem"), _operator("setitem"), _operator("delitem")
    __contains__ = _operator("contains")
    __lt__, __le__, __gt__, __ge__ = map(_operator, ("lt", "le", "gt", "ge"))
    __add__, __sub__, __mul__, __truediv__ = map(_operator, ("add", "sub", "mul", "truediv"))
    __or__, __and__, __rshift__ = map(_operator, ("or_", "and_", "rshift"))
    __radd__, __rsub__, __rmul__ = map(_reflected, ("add", "sub", "mul"))


class SizedObject(Object):
    """An object of the learner's that has a length."""

    __slots__ = ()

    def __len__(self) -> int:
        return abs(self._labrunner.program.native_of(int, "len", self)) % sys.maxsize


class Module(Object):
    """A module of the learner's; what is no function or class is read anew each time."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"the module {self._labrunner.kind}"


class Function:
    """What an object or a module of the learner's has under a name and can be called."""

    __slots__ = ("_labrunner_name", "_labrunner_owner")

    def __init__(self, owner: Object, name: str) -> None:
        self._labrunner_owner = owner
        self._labrunner_name = name

    def __repr__(self) -> str:
        return f"{self._labrunner_name} of {self._labrunner_owner!r}"

    def __call__(self, *arguments: object, **keywords: object) -> Any:
        owner, name = self._labrunner_owner, self._labrunner_name
        return link_of(owner).program.call((owner, name, arguments, keywords))

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        owner = self._labrunner_owner
        return getattr(link_of(owner).program.native("getattr", owner, self._labrunner_name, hold=True), name)


class Items:
    """An iterator of the learner's: each item is asked for when it is wanted, and not before."""

    __slots__ = ("labrunner_iterator",)

    def __init__(self, iterator: Object) -> None:
        self.labrunner_iterator = iterator

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        iterator = self.labrunner_iterator
        for item in link_of(iterator).program.native_of(list, "next", iterator):
            return item
        raise StopIteration


def link_of(proxy: Object) -> Link:
    """Return where a proxy leads."""
    return proxy._labrunner  # noqa: SLF001 - no public name may stand in the way of the learner's


def parts_of(function: Function) -> tuple[Object, str]:
    """Return the owner of a function, and its name there."""
    return function._labrunner_owner, function._labrunner_name  # noqa: SLF001 - as above
