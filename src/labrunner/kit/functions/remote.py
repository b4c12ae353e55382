"""The learner's code as a grader's proxies reach it: modules, calls, attributes, objects both ways."""
# ruff: noqa: ANN401 - what comes from the learner may be anything

import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from labrunner.errors import AuthoringError, LabrunnerError
from labrunner.kit.failures import Failure, NotJudged
from labrunner.kit.functions import wording
from labrunner.kit.functions.decoding import Decoder, items, number_of, table, text, texts
from labrunner.kit.functions.encoding import Encoder
from labrunner.kit.functions.notation import Data, MalformedError
from labrunner.kit.functions.proxies import (
    Function,
    Items,
    Link,
    Module,
    Object,
    SizedObject,
    link_of,
    parts_of,
)
from labrunner.kit.functions.raised import Raised, Throw, told
from labrunner.kit.functions.sharing import Shares
from labrunner.kit.functions.talk import Process, Talk
from labrunner.kit.functions.wire import LateError, WireError
from labrunner.model import Json

T = TypeVar("T")
# Something to call: what owns it, its name there (None: the owner itself is called), the arguments.
Call = tuple[Object, str | None, Sequence[object], Mapping[str, object]]


class Remote:
    """One learner's program, the objects that it holds for the grader, and the grader's that it may use."""

    def __init__(
        self, connection: socket.socket, process: Process, *, call_s: float, clock: Callable[[], float]
    ) -> None:
        self.talk = Talk(connection, process, call_s=call_s, clock=clock, answer=self._answer)
        self._encoder = Encoder(self._reference)
        self._decoder = Decoder(self)
        self._shares = Shares()
        self._proxies: WeakValueDictionary[int, Object] = WeakValueDictionary()
        self._drops: list[Json] = []
        self._thrown: dict[int, Exception] = {}
        self._awaiting = False

    # ── requests ────────────────────────────────────────────────────────────────────────────────

    def load(self, name: str) -> Module:
        """Import a module of the learner's."""

        def read(tag: str, content: Data) -> Module:
            if tag == "import_error":
                error, files = items(content, 2)
                facts = None if error is None else told(error, self._decoder)
                raise wording.not_loaded(name, facts, texts(files))
            if tag != "value" or type(content) is not dict or list(content) != ["object"]:
                raise MalformedError("a module is not described as one")
            handle = number_of(items(content["object"], 4)[0])
            return self._proxy(handle, partial(Module, Link(self, handle, name, "")))  # type: ignore[return-value]

        return self._ask({"do": "load", "name": name}, f"the import of {name}", read)

    def call(self, call: Call, *, hold: bool = False, awaits: bool = False) -> Any:
        """Make a call, and return what it returns: plain, or where that is asked for held."""
        request: dict[str, Json] = {"do": "call", "awaits": awaits, "call": self._call(call, hold=hold)}
        return self._ask(request, _label(call), partial(self._outcome, call))

    def together(self, calls: Sequence[Call], *, awaits: bool = False) -> list[Any]:
        """Make calls at once; return what they return, and for one that raises the Raised."""
        if self.talk.depth:
            raise AuthoringError(
                "a call-back makes calls together", hint="make them before or after the call that calls back"
            )

        def read(tag: str, content: Data) -> list[Any]:
            if tag != "value":
                return [self._outcome(calls[0], tag, content)]
            return [
                self._outcome_or_raised(call, reply)
                for call, reply in zip(calls, items(content, len(calls)), strict=True)
            ]

        made: list[Json] = [self._call(call, hold=False) for call in calls]
        request: dict[str, Json] = {"do": "together", "awaits": awaits, "calls": made}
        return self._ask(request, ", ".join(dict.fromkeys(map(_label, calls))), read)

    def attribute(self, owner: Object, name: str) -> Any:
        """Return what an object has under a name: a Function for what can be called, else its value."""

        def read(tag: str, content: Data) -> Any:
            if tag == "value" and content == {"callable": name}:
                link_of(owner).callables.add(name)
                return Function(owner, name)
            return self._outcome((owner, name, (), {}), tag, content)

        of: Json = [self._number(owner), name]
        return self._ask({"do": "get", "of": of}, f"{name} of {owner!r}", read)

    def native(self, name: str, *operands: object, hold: bool = False, awaits: bool = False) -> Any:
        """Call one of Python's own functions in the learner's program."""
        owner = next(
            parts_of(operand)[0] if isinstance(operand, Function) else operand
            for operand in operands
            if isinstance(operand, Object | Function)
        )
        arguments = self._encoder.values(operands, -1)
        call: Json = {"of": [None, name], "args": arguments, "kwargs": {}, "hold": hold}
        read = partial(self._outcome, (owner, name, operands, {}))
        return self._ask({"do": "call", "awaits": awaits, "call": call}, f"{name}() of {owner!r}", read)

    def native_of(self, kind: type[T], name: str, *operands: object, awaits: bool = False) -> T:
        """Call one of Python's own functions, which returns nothing but this type in an honest program."""
        value = self.native(name, *operands, awaits=awaits)
        if type(value) is not kind:
            error = MalformedError(f"{name}() returned no {kind.__name__}")
            raise self.talk.broken(error, f"{name}() of {operands[0]!r}")
        return value

    def leave(self, name: str, manager: Object, error: BaseException | None, *, awaits: bool = False) -> None:
        """Leave a context manager, unless the program is no more or the check itself is being ended."""
        if not self.talk.has_ended and (error is None or isinstance(error, Exception)):
            self.native(name, manager, error, awaits=awaits)

    def release(self, objects: Sequence[Object]) -> None:
        """Have the program forget objects now."""
        for link in [link_of(proxy) for proxy in objects]:
            self.let_go(link.number, link.times)
            self._proxies.pop(link.number, None)
            link.number = link.times = 0
        request: dict[str, Json] = {"do": "nothing"}
        self._ask(request, "letting go of objects", lambda *_: None)

    def let_go(self, number: int, times: int) -> None:
        """Have the program forget an object, with the next request."""
        if times and not self.talk.has_ended:
            self._drops.append([number, times])

    # ── what the decoder asks for ───────────────────────────────────────────────────────────────

    def held(self, number: int, kind: str, like: str, *, sized: bool) -> Object:
        """Return what stands for an object of the program's."""
        return self._proxy(number, lambda: (SizedObject if sized else Object)(Link(self, number, kind, like)))

    def shared(self, number: int) -> object:
        """Return the grader's own object of a number."""
        return self._shares.at(number)

    def check_time(self) -> None:
        """Raise LateError when the time of the call is over."""
        self.talk.check_time()

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _ask(self, request: dict[str, Json], doing: str, read: Callable[[str, Data], T]) -> T:
        if self.talk.depth == 0:
            self._thrown.clear()
        drops, self._drops = self._drops, []
        if drops:
            request["drop"] = drops
        classes = self._shares.new_classes()
        if classes:
            request["classes"] = classes
        awaits = request.get("awaits") is True
        if awaits and self._awaiting:
            raise AuthoringError(
                "a call-back of an awaited call awaits another one", hint="call a plain function there"
            )
        self._awaiting = self._awaiting or awaits
        try:
            reply = self.talk.ask(request, doing)
        except AuthoringError:
            # If that was too large to be sent, what goes with it has yet to be told.
            self._drops += drops
            self._shares.untold(classes)
            raise
        finally:
            self._awaiting = self._awaiting and not awaits
        try:
            return read(*reply)
        except (MalformedError, LateError) as error:
            raise self.talk.broken(error, doing) from None

    def _outcome(self, call: Call, tag: str, content: Data) -> Any:
        """Return the value of a reply. Raises Raised for an exception, and Failure for what is neither."""
        if tag == "value":
            return self._decoder.value(content)
        owner, name, arguments, keywords = call
        if tag == "bad_value":
            kind, words = map(text, items(content, 2))
            if kind not in wording.UNSENDABLE:
                raise MalformedError("it names no reason")
            raise wording.unsendable(_label(call), kind, words)
        if tag != "raised":
            raise MalformedError("it does not fit what was asked")
        facts = told(content, self._decoder)
        if facts.names is not None:
            raise wording.missing_name(repr(owner), name or "", facts.names)
        if facts.signature is not None:
            raise wording.mismatch(_label(call), facts, wording.given(arguments, keywords))
        raise Raised(_label(call), facts, self._thrown.get(facts.origin or 0))

    def _outcome_or_raised(self, call: Call, reply: Data) -> Any:
        if type(reply) is not dict or len(reply) != 1:
            raise MalformedError("it is no list of replies")
        try:
            return self._outcome(call, *next(iter(reply.items())))
        except Raised as raised:
            return raised

    def _answer(self, content: Data) -> dict[str, Json]:
        """Use an object of the grader's as the program asks, and return the answer."""
        number, name, arguments, keywords = items(content, 4)
        values = None if arguments is None else self._decoder.values(items(arguments))
        named = {key: self._decoder.value(value) for key, value in table(keywords or {}).items()}
        self.check_time()
        answer: dict[str, Json]
        try:
            answer = {
                "return": self._encoder.value(self._shares.use(number_of(number), text(name), values, named))
            }
        except Raised as error:
            answer = {"raise": self._reference(error)}
        except (AssertionError, LabrunnerError, NotJudged, MalformedError, WireError):
            raise
        except Exception as error:  # noqa: BLE001 - what a call-back raises is for the learner's code to handle
            answer = {"raise": self._reference(error)}
        classes = self._shares.new_classes()
        return {**answer, "classes": classes} if classes else answer

    def _call(self, call: Call, *, hold: bool) -> Json:
        owner, name, arguments, keywords = call
        return {
            "of": [self._number(owner), name],
            "args": self._encoder.values(arguments, -1),
            "kwargs": {key: self._encoder.value(value) for key, value in keywords.items()},
            "hold": hold,
        }

    def _reference(self, value: object) -> Json:
        """Return the data for a value that does not cross as plain."""
        if isinstance(value, Object):
            return {"held": [self._number(value), None]}
        if isinstance(value, Function):
            owner, name = parts_of(value)
            return {"held": [self._number(owner), name]}
        if isinstance(value, Items):
            return self._reference(value.labrunner_iterator)
        if isinstance(value, Raised | Throw):
            return self._reference(value.error)
        if isinstance(value, Failure):
            # Its words are for the learner to read, not for their code.
            value = RuntimeError("the check has ended")
        if isinstance(value, Exception):
            number = len(self._thrown) + 1
            self._thrown[number] = value
            return self._encoder.exception(value, number)
        return self._shares.reference(value, self._reference)

    def _number(self, proxy: Object) -> int:
        link = link_of(proxy)
        if link.program is not self:
            raise AuthoringError(
                f"{proxy!r} belongs to another program",
                hint="load the module anew, and make the object there",
            )
        if not link.number:
            raise AuthoringError(f"{proxy!r} is used after its release", hint="release it later")
        return link.number

    def _proxy(self, number: int, make: Callable[[], Object]) -> Object:
        proxy = self._proxies.get(number)
        if proxy is None:
            proxy = self._proxies[number] = make()
        link_of(proxy).times += 1
        return proxy


def _label(call: Call) -> str:
    owner, name, *_ = call
    if name is None:
        return f"the call of {owner!r}"
    return f"{name}()" if isinstance(owner, Module) else f"{link_of(owner).kind}.{name}()"
