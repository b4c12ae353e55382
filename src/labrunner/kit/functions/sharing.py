"""A grader's own objects in the learner's hands: they stay here, and whatever is done to them comes back."""
# ruff: noqa: ANN401 - a key may hold any value

import inspect
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ClassVar

from labrunner.errors import AuthoringError
from labrunner.kit.functions.notation import MalformedError
from labrunner.model import Json


class Shared:
    """An object that the learner's code may use without ever having it.

    `offers` names the methods, attributes and special methods that the learner's code finds on it; each use
    of one runs here. Where `extends` is a class of the learner's, what they get is an instance of that class,
    made without its `__init__`, on which the names offered replace the class's own.
    """

    offers: ClassVar[tuple[str, ...]] = ()
    extends: object = None

    def used(self, name: str) -> None:
        """Is called before each use by the learner's code of what has this name."""


class Counting(Shared):
    """A key that counts in `counts` what the learner's code does to it, by names such as "__lt__".

    It orders, equals and hashes as `value` does, among its own kind; neither its text nor its hash tells the
    learner's code what the value is.
    """

    offers = ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__hash__")

    def __init__(self, value: Any, counts: Counter[str]) -> None:
        self.value = value
        self._counts = counts

    def used(self, name: str) -> None:
        """Count the use."""
        self._counts[name] += 1

    def __lt__(self, other: object) -> bool:
        return self.value < other.value if isinstance(other, Counting) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.value <= other.value if isinstance(other, Counting) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.value > other.value if isinstance(other, Counting) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.value >= other.value if isinstance(other, Counting) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, Counting) else NotImplemented

    def __hash__(self) -> int:
        # Through a text, whose hash is keyed in this process: the hash of a number would be the number.
        return hash(str(hash(self.value)))


class Shares:
    """The grader's objects that one program knows, by numbers that tell nothing of their order."""

    def __init__(self) -> None:
        self._objects: dict[int, object] = {}
        self._numbers: dict[int, int] = {}
        self._classes: dict[tuple[object, ...], int] = {}
        self._new_classes: list[Json] = []

    def reference(self, value: object, held: Callable[[object], Json]) -> Json:
        """Return the data for an object; `held` makes that of a class of the learner's which it extends.

        Raises AuthoringError unless it is a Shared object, a function, another callable, or an iterator.
        """
        offers = _offers(value)
        if not offers:
            raise AuthoringError(
                f"an object of the type {type(value).__name__} cannot be sent to the learner's program",
                hint="send plain values, callables, iterators, or derive its class from Shared",
            )
        key = self._numbers.get(id(value))
        if key is None:
            key = self._numbers[id(value)] = secrets.randbits(52) or 1
            self._objects[key] = value
        if offers == ("__call__",):
            name = getattr(value, "__name__", type(value).__name__)
            return {"shared": [key, None, name, inspect.iscoroutinefunction(value)]}
        return {"shared": [key, self._class_of(value, offers, held), "", False]}

    def new_classes(self) -> list[Json]:
        """Return, once, the descriptions of the classes that the program does not know yet."""
        descriptions, self._new_classes = self._new_classes, []
        return descriptions

    def untold(self, descriptions: list[Json]) -> None:
        """Take back descriptions that the program was not given."""
        self._new_classes = descriptions + self._new_classes

    def at(self, number: int) -> object:
        """Return the object of a number. Raises MalformedError if there is none."""
        if number not in self._objects:
            raise MalformedError("there is no object of this number")
        return self._objects[number]

    def use(
        self, number: int, name: str, arguments: list[object] | None, keywords: dict[str, object]
    ) -> object:
        """Call a method of an object, or read an attribute if `arguments` is None; return what comes of it.

        Raises MalformedError for a name that the object does not offer, and whatever the method raises.
        """
        value: Any = self.at(number)
        if name not in _offers(value):
            raise MalformedError("an object does not offer what was asked of it")
        if isinstance(value, Shared):
            value.used(name)
        if arguments is None:
            return getattr(value, name)
        result = getattr(value, name)(*arguments, **keywords)
        return _finished(result) if inspect.iscoroutine(result) else result

    def _class_of(self, value: object, offers: tuple[str, ...], held: Callable[[object], Json]) -> Json:
        extends = value.extends if isinstance(value, Shared) else None
        key = (type(value), offers, extends)
        if key not in self._classes:
            self._classes[key] = len(self._classes) + 1
            methods: dict[str, Json] = {}
            attributes: list[Json] = []
            for name in offers:
                found = inspect.getattr_static(type(value), name, None)
                if callable(found) or isinstance(found, staticmethod | classmethod):
                    methods[name] = inspect.iscoroutinefunction(getattr(value, name))
                else:
                    attributes.append(name)
            base = None if extends is None else held(extends)
            self._new_classes.append([self._classes[key], type(value).__name__, methods, attributes, base])
        return self._classes[key]


def _offers(value: object) -> tuple[str, ...]:
    if isinstance(value, Shared):
        return value.offers
    if isinstance(value, Iterator):
        return ("__iter__", "__next__")
    return ("__call__",) if callable(value) else ()


def _finished(coroutine: Coroutine[Any, Any, object]) -> object:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AuthoringError(
        "a coroutine that the grader shares waits for something", hint="let it return without waiting"
    )
