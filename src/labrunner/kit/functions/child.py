"""The learner's side of the interface `function`: `python -I child.py DESCRIPTOR [FOLDER]`.

One file, with nothing but the standard library of Python 3.9, so that it runs in any environment. It reads
requests from a connected stream socket, calls the learner's code, and writes one reply to each; what they say
stands in docs/functions.md. It shares its process with the learner's code: the grader believes none of it.
"""
# ruff: noqa: ANN401, D103, SLF001 - any value passes through here, and what needs telling is told
# ruff: noqa: B905, PTH208 - it is Python 3.9, and each import would be felt at the start of every check

from __future__ import annotations

import os
import sys
from _thread import RLock
from itertools import count

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all this needs to start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

MESSAGE_BYTES = 1_000_000
DEPTH = 100
DIGITS = 4300
BIG = 1 << 14_000  # a power of two with a few digits less
EXPONENT = 10_000
ITEMS = 500_000  # of two bytes each they fill a message
TEXT = 2000
NAMES = 100
FRAMES = 20
PLAIN = frozenset((int, float, str, bytes, tuple, list, dict, set, frozenset))


# What a class is called and what it has, whatever a class of the learner's own class makes of the question.
NAME: Callable[[type], str] = type.__dict__["__name__"].__get__
HAS = type.__getattribute__


class Answer(Exception):  # noqa: N818 - it carries a reply out of the depth where it was found
    """The reply to a request that does not end in a value."""

    def __init__(self, tag: str, content: Any) -> None:
        super().__init__(tag)
        self.reply = {tag: content}


def unsendable(kind: str, words: str = "") -> NoReturn:
    raise Answer("bad_value", [kind, printable(words)])


def printable(text: str) -> str:
    """Return the first TEXT characters of a text, lone surrogates escaped."""
    return str.__str__(text)[:TEXT].encode("utf-8", "backslashreplace").decode()


def standard(name: str) -> Any:
    """Return a module of the standard library that is too slow to import before it is needed."""
    __import__(name)
    return sys.modules[name]


def found(module: str, name: str) -> Any:
    """Return what has this qualified name in a module that is imported already, or None."""
    owner: Any = sys.modules.get(module)
    for part in name.split("."):
        owner = getattr(owner, part, None)
    return owner


def named(kind: type) -> str:
    """Return the name of a class: a bare one for a built-in class, and for no other."""
    name = printable(kind.__qualname__)
    return name if found("builtins", name) is kind else printable(f"{kind.__module__}.{name}")


def text_of(error: BaseException) -> str:
    try:
        return printable(str(error))
    except Exception:  # noqa: BLE001 - the learner's own __str__
        return ""


def names_in(owner: Any) -> list[str]:
    """Return the public names that an object has: of a module those that it does not import."""
    try:
        names = [name for name in dir(owner) if name[:1] != "_"]
    except Exception:  # noqa: BLE001 - the learner's own __dir__
        return []
    if type(owner) is type(sys):
        imported = [name for name in names if home_of(vars(owner).get(name)) not in {None, owner.__name__}]
        names = [name for name in names if name not in imported]
    return [printable(name) for name in names[:NAMES]]


def home_of(value: Any) -> Any:
    """Return the name of the module that a module, a function or a class comes from."""
    return value.__name__ if type(value) is type(sys) else getattr(value, "__module__", None)


def json_words() -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    """Return what writes and what reads JSON, without the regular expressions that `json` itself imports."""
    try:
        import _json

        class Context:
            strict, object_hook, object_pairs_hook, parse_constant = True, None, None, float
            parse_float, parse_int = float, int

        native: Any = _json
        scan = native.make_scanner(Context())
        write = native.make_encoder(
            None, None, _json.encode_basestring_ascii, None, ":", ",", False, False, False
        )
        if scan("".join(write([{"a": [1, 0.5]}], 0)), 0)[0] == [{"a": [1, 0.5]}]:
            return lambda data: "".join(write(data, 0)), lambda text: scan(text, 0)[0]
    except Exception:  # noqa: BLE001, S110 - a Python that is not CPython, or much later than this file
        pass
    return standard("json").dumps, standard("json").loads


# ── values that leave ───────────────────────────────────────────────────────────────────────────


def decimal_words(value: Any) -> str:
    text, (_, digits, exponent) = str(value), value.as_tuple()
    if type(exponent) is not int:
        return text if text in {"NaN", "Infinity", "-Infinity"} else unsendable("nan")
    return text if len(digits) <= DIGITS and abs(exponent) <= EXPONENT else unsendable("digits")


# Known by their names: whoever has made one has imported its class.
LATER: dict[str, Callable[[Any], Any]] = {
    "datetime.datetime": lambda value: [value.isoformat(), value.fold],
    "datetime.date": lambda value: value.isoformat(),
    "datetime.time": lambda value: [value.isoformat(), value.fold],
    "datetime.timedelta": lambda value: [value.days, value.seconds, value.microseconds],
    "decimal.Decimal": decimal_words,
    "uuid.UUID": lambda value: value.hex,
}


class Outgoing:
    """Turns a value into tagged JSON data: exact plain types as they are, all others as held objects."""

    def __init__(self, hold: Callable[[Any], Any]) -> None:
        self.hold = hold
        self.items = 0

    def __call__(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one a kind, the common first
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -BIG < value < BIG else unsendable("digits")
        if kind is str:
            return value if value.isascii() else self.text(value)
        if kind is float:
            return value if value - value == 0 else {"float": repr(value)}
        if kind is bytes:
            return {"bytes": value.hex()}
        if depth >= DEPTH:
            unsendable("depth")
        if kind is list:
            return self.list(value, depth)
        if kind is dict:
            return {"dict": self.list([part for pair in value.items() for part in pair], depth)}
        if kind is tuple or kind is set or kind is frozenset:
            return {kind.__name__: self.list(list(value), depth)}
        return self.rarer(value, kind, depth)

    def list(self, value: Any, depth: int) -> Any:
        self.items += len(value)
        if self.items > ITEMS:
            unsendable("size")
        kinds = set(map(type, value))
        if kinds == {int} and min(value) > -BIG and max(value) < BIG:
            return value
        if kinds == {float} and sum(value) - sum(value) == 0:
            return value
        if kinds == {str} and "".join(value).isascii():
            return value
        return [self(item, depth + 1) for item in value]

    def text(self, value: str) -> Any:
        try:
            value.encode()
        except UnicodeEncodeError:
            return {"text": [ord(char) for char in value]}
        return value

    def rarer(self, value: Any, kind: Any, depth: int) -> Any:
        number = grader_number(value)
        if number is not None:
            return {"yours": number}
        module, name = kind.__module__, kind.__qualname__
        words = LATER.get(f"{module}.{name}")
        if words is not None and found(module, name) is kind:
            return {name.lower(): words(value)}
        enum = sys.modules.get("enum")
        if enum is not None and isinstance(value, enum.Enum):
            member = value._name_ if type(value._name_) is str else str(value)
            return {"member": [module, name, member, self(value._value_, depth + 1)]}
        if hasattr(kind, "__dataclass_fields__"):
            fields = [field.name for field in standard("dataclasses").fields(value)]
            parts = [part for field in fields for part in (field, getattr(value, field))]
            return {"record": [module, name, *self.list(parts, depth)]}
        return self.hold(value)


# ── values that come in ─────────────────────────────────────────────────────────────────────────


def grader_number(value: Any) -> Any:
    """Return the number of the grader's object that this one stands for, or None."""
    try:
        return object.__getattribute__(value, "_grader_number")
    except AttributeError:
        return None


def record(content: Any) -> Any:
    """Return an instance of the learner's dataclass; without one, a plain object with these fields."""
    module, name, *parts = content
    kind = found(module, name)
    if not hasattr(kind, "__dataclass_fields__"):
        kind = type(name.rpartition(".")[2], (standard("types").SimpleNamespace,), {})
    value = kind.__new__(kind)
    for field, item in zip(parts[::2], parts[1::2]):
        object.__setattr__(value, field, item)
    return value


def member(content: Any) -> Any:
    module, kind, name, value = content
    known = getattr(found(module, kind), name, None)
    return record(["", kind, "name", name, "value", value]) if known is None else known


def moment(content: Any) -> Any:
    text, fold, zone = content
    value = standard("datetime").datetime.fromisoformat(text)
    return value.replace(fold=fold, tzinfo=standard("zoneinfo").ZoneInfo(zone) if zone else value.tzinfo)


def exception(content: Any) -> BaseException:
    """Return a new exception of the first class that is known here, under the first name."""
    kinds, arguments, number = content
    bases = [found(module, name) for module, name in kinds]
    at, kind = next((at, base) for at, base in enumerate(bases) if isinstance(base, type))
    if at > 0:
        kind = type(kinds[0][1].rpartition(".")[2], (kind,), {"__module__": kinds[0][0]})
    error = kind.__new__(kind, *arguments)
    error.args, error._raised_by_grader = tuple(arguments), number
    return error  # type: ignore[no-any-return]


INCOMING: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": lambda content: dict(zip(content[::2], content[1::2])),
    "text": lambda content: "".join(map(chr, content)),
    "float": float,
    "bytes": bytes.fromhex,
    "decimal": lambda content: standard("decimal").Decimal(content),
    "datetime": moment,
    "date": lambda content: standard("datetime").date.fromisoformat(content),  # noqa: PLW0108 - not before it is used
    "time": lambda content: standard("datetime").time.fromisoformat(content[0]).replace(fold=content[1]),
    "timedelta": lambda content: standard("datetime").timedelta(*content),
    "uuid": lambda content: standard("uuid").UUID(content),
    "record": record,
    "member": member,
    "exception": exception,
    "constant": {"NotImplemented": NotImplemented}.__getitem__,
}


# ── what the grader may call beside the learner's own ───────────────────────────────────────────


def next_of(iterator: Any) -> list[Any]:
    """Return the next item in a list, and an empty list at the end."""
    item = next(iterator, INCOMING)
    return [] if item is INCOMING else [item]


def iterator_of_async(iterable: Any) -> Any:
    return type(iterable).__aiter__(iterable)


async def next_of_async(iterator: Any) -> list[Any]:
    try:
        return [await type(iterator).__anext__(iterator)]
    except StopAsyncIteration:
        return []


NATIVE: dict[str, Callable[..., Any]] = {
    "itself": lambda value: value,
    "next": next_of,
    "anext": next_of_async,
    "aiter": iterator_of_async,
    "enter": lambda manager: type(manager).__enter__(manager),
    "aenter": lambda manager: type(manager).__aenter__(manager),
    "exit": lambda manager, error: type(manager).__exit__(manager, error and type(error), error, None),
    "aexit": lambda manager, error: type(manager).__aexit__(manager, error and type(error), error, None),
}


class Program:
    """The learner's program: its socket, the objects that the grader holds, and those that it shares."""

    def __init__(self, descriptor: int, folder: str) -> None:
        self.descriptor = descriptor
        self.folder = folder + os.sep
        self.nonce = ""
        # Held by the thread that talks to the grader; free while the outermost request is being performed.
        self.lock = RLock()
        self.numbers = count(1)
        self.held: dict[int, list[Any]] = {}
        self.handles: dict[int, int] = {}
        self.shared: dict[int, Any] = {}
        self.classes: dict[int, Any] = {}
        self.event_loop: Any = None
        self.write, self.scan = json_words()

    # ── messages ────────────────────────────────────────────────────────────────────────────────

    def serve(self) -> None:
        self.lock.acquire()
        while True:
            request = self.read()
            self.lock.release()
            try:
                reply = self.perform(request)
            finally:
                self.lock.acquire()
            self.send(reply)

    def read(self) -> Any:
        data = os.read(self.descriptor, 65536)
        while data and len(data) < 4 + int.from_bytes(data[:4], "big"):
            more = os.read(self.descriptor, MESSAGE_BYTES)
            data = data + more if more else b""
        if not data:  # the grader has let go of this program, whatever threads it still has
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(0)
        message = self.scan(data[4:].decode())
        self.nonce = message.pop("nonce")
        return message

    def send(self, reply: dict[str, Any]) -> None:
        if self.descriptor < 0:  # a copy that the learner's code has forked off has no part in the talk
            os._exit(0)
        data = self.write({"nonce": self.nonce, **reply}).encode()
        if len(data) > MESSAGE_BYTES:
            if "call_back" in reply:
                raise ValueError("these arguments are too large to be sent to the grader")
            data = self.write({"nonce": self.nonce, "bad_value": ["size", ""]}).encode()
        data = len(data).to_bytes(4, "big") + data
        while data:
            data = data[os.write(self.descriptor, data) :]

    def let_go(self) -> None:
        os.close(self.descriptor)
        self.descriptor = -1

    def perform(self, request: Any) -> dict[str, Any]:
        """Return the reply to a request, whatever the learner's code does."""
        try:
            for handle, times in request.get("drop", ()):
                self.drop(handle, times)
            for description in request.get("classes", ()):
                self.define(*description)
            return getattr(self, "do_" + request["do"])(request)  # type: ignore[no-any-return]
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are told too
            return self.reply_to(error)

    def call_back(self, number: int, name: str, arguments: Any, keywords: Any) -> Any:
        """Call a method of the grader's object, or read an attribute where there are no arguments."""
        outgoing = Outgoing(self.hold)
        if arguments is not None:
            arguments = [outgoing(value) for value in arguments]
            keywords = {key: outgoing(value) for key, value in keywords.items()}
        with self.lock:
            self.send({"call_back": [number, name, arguments, keywords]})
            answer = self.read()
            while "do" in answer:
                self.send(self.perform(answer))
                answer = self.read()
        for description in answer.get("classes", ()):
            self.define(*description)
        if "raise" in answer:
            raise self.incoming(answer["raise"])
        return self.incoming(answer["return"])

    # ── requests ────────────────────────────────────────────────────────────────────────────────

    def do_load(self, request: Any) -> dict[str, Any]:
        name = request["name"]
        try:
            __import__(name)
        except BaseException as error:  # noqa: BLE001 - whatever an import raises keeps it from being loaded
            missing = type(error) is ModuleNotFoundError and f"{name}.".startswith(f"{error.name}.")
            return self.not_loaded(None if missing and not self.frames(error) else error)
        module = sys.modules[name]
        origin = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
        return {"value": self.hold(module)} if self.is_own(str(origin)) else self.not_loaded(None)

    def not_loaded(self, error: BaseException | None) -> dict[str, Any]:
        files = sorted(printable(name) for name in os.listdir(self.folder) if name.endswith(".py"))
        return {"import_error": [error and self.told(error), files[:NAMES]]}

    def do_get(self, request: Any) -> dict[str, Any]:
        value = self.member(request["of"])
        if callable(value) and grader_number(value) is None:
            return {"value": {"callable": request["of"][1]}}
        return self.value(value)

    def do_nothing(self, _: Any) -> dict[str, Any]:
        return {"value": None}

    def do_call(self, request: Any) -> dict[str, Any]:
        if request["awaits"]:
            return self.loop().run_until_complete(self.task(request["call"]))  # type: ignore[no-any-return]
        function, result = self.applied(request["call"])
        if NAME(type(result)) == "coroutine":
            result.close()
            unsendable("async")
        return self.value(result, request["call"], function)

    def do_together(self, request: Any) -> dict[str, Any]:
        """Make calls at once, in as many tasks or threads; the value is the list of their replies."""
        calls = request["calls"]
        if request["awaits"]:
            return {"value": self.loop().run_until_complete(self.tasks(calls))}
        threading = standard("threading")
        start = threading.Barrier(len(calls))
        replies: list[Any] = [None] * len(calls)

        def thread(index: int) -> None:
            start.wait()
            replies[index] = self.perform({"do": "call", "call": calls[index], "awaits": False})

        threads = [threading.Thread(target=thread, args=(index,), daemon=True) for index in range(len(calls))]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return {"value": replies}

    # ── calls of the learner's code ─────────────────────────────────────────────────────────────

    def applied(self, call: Any) -> tuple[Any, Any]:
        """Return what is called, and what it returns; arguments that do not fit it are an Answer."""
        function = self.member(call["of"])
        arguments = self.incoming(call["args"])
        keywords = {name: self.incoming(value) for name, value in call["kwargs"].items()}
        try:
            return function, function(*arguments, **keywords)
        except TypeError as error:
            if not self.frames(error):
                self.refuse_mismatch(function, arguments, keywords, error)
            raise

    def refuse_mismatch(self, function: Any, arguments: Any, keywords: Any, error: TypeError) -> None:
        try:
            signature = standard("inspect").signature(function)
        except (TypeError, ValueError):
            return
        try:
            signature.bind(*arguments, **keywords)
        except TypeError as reason:
            facts = {**self.told(error), "text": text_of(reason), "signature": printable(str(signature))}
            raise Answer("raised", facts) from None

    def loop(self) -> Any:
        if self.event_loop is None:
            self.event_loop = standard("asyncio").new_event_loop()
        return self.event_loop

    async def task(self, call: Any) -> dict[str, Any]:
        function, result = self.applied(call)
        try:
            HAS(type(result), "__await__")
        except AttributeError:
            unsendable("sync", NAME(type(result)))
        return self.value(await result, call, function)

    async def tasks(self, calls: Any) -> list[dict[str, Any]]:
        replies = await standard("asyncio").gather(*map(self.task, calls), return_exceptions=True)
        return [self.reply_to(reply) if isinstance(reply, BaseException) else reply for reply in replies]

    def member(self, of: Any) -> Any:
        """Return a held object or what it has under a name; without a handle, one of Python's functions."""
        handle, name = of
        if handle is None:
            return NATIVE.get(name) or getattr(standard("_operator"), name, None) or found("builtins", name)
        owner = self.held[handle][0]
        try:
            return owner if name is None else getattr(owner, name)
        except AttributeError as error:
            if self.frames(error):
                raise
            raise Answer("raised", {**self.told(error), "names": names_in(owner)}) from None

    # ── what the grader is told ─────────────────────────────────────────────────────────────────

    def value(self, value: Any, call: Any = None, function: Any = None) -> dict[str, Any]:
        try:
            # What a class makes is an object to work with, even where such an object would cross as plain.
            made = isinstance(function, type) and hasattr(function, "__dataclass_fields__")
            return {
                "value": self.hold(value) if made or (call and call["hold"]) else Outgoing(self.hold)(value)
            }
        except Answer:
            raise
        except Exception as error:  # noqa: BLE001 - a value of the learner's that fails as it is looked at
            unsendable("broken", f"{type(error).__name__}: {text_of(error)}")

    def hold(self, value: Any) -> dict[str, Any]:
        """Keep an object for the grader; return its handle, its class, which plain class that extends."""
        kind = type(value)
        with self.lock:
            handle = self.handles.get(id(value))
            if handle is None:
                handle = self.handles[id(value)] = next(self.numbers)
                self.held[handle] = [value, 0]
            self.held[handle][1] += 1
        like = next((base.__name__ for base in kind.__mro__[1:-1] if base in PLAIN), "")
        return {"object": [handle, printable(kind.__name__), like, hasattr(kind, "__len__")]}

    def drop(self, handle: int, times: int) -> None:
        entry = self.held[handle]
        entry[1] -= times
        if entry[1] <= 0:
            del self.held[handle], self.handles[id(entry[0])]

    def reply_to(self, error: BaseException) -> dict[str, Any]:
        return error.reply if isinstance(error, Answer) else {"raised": self.told(error)}

    def told(self, error: BaseException) -> dict[str, Any]:
        kinds = [named(kind) for kind in type(error).__mro__[:-1][:FRAMES]]
        facts = {"kinds": kinds, "text": text_of(error), "frames": self.frames(error)}
        # The locals of those frames must not live on because the grader holds the exception.
        error.__traceback__ = None
        return {**facts, "origin": error.__dict__.get("_raised_by_grader"), "held": self.hold(error)}

    def frames(self, error: BaseException) -> list[list[Any]]:
        """Return the file, line and function of the learner's own frames, the innermost last."""
        frames: list[tuple[str, int, str]] = []
        step = error.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            frames.append((code.co_filename, step.tb_lineno, code.co_name))
            step = step.tb_next
        if isinstance(error, SyntaxError):
            frames.append((str(error.filename), error.lineno or 0, ""))
        own = [(file[len(self.folder) :], line, name) for file, line, name in frames if self.is_own(file)]
        return [[printable(file), line, printable(name)] for file, line, name in own[-FRAMES:]]

    def is_own(self, file: str) -> bool:
        return file.startswith(self.folder) and "site-packages" not in file

    # ── what the grader shares ──────────────────────────────────────────────────────────────────

    def incoming(self, data: Any) -> Any:
        """Turn tagged JSON data into a value."""
        if type(data) is list:
            return [self.incoming(item) for item in data]
        if type(data) is not dict:
            return data
        ((tag, content),) = data.items()
        if tag == "held":
            return self.member(content)
        return self.stand_in(*content) if tag == "shared" else INCOMING[tag](self.incoming(content))

    def define(
        self, number: int, name: str, methods: dict[str, bool], attributes: list[str], base: Any
    ) -> None:
        """Make the class of objects that stay with the grader: its methods and attributes call back."""
        body = {
            method: self.caller(method, method, is_async=is_async) for method, is_async in methods.items()
        }
        body.update((attribute, self.attribute(attribute)) for attribute in attributes)
        self.classes[number] = type(name, (self.incoming(base),) if base else (), body)

    def attribute(self, name: str) -> Any:
        return property(lambda me: self.call_back(me._grader_number, name, None, None))

    def caller(self, method: str, shown: str, number: int | None = None, *, is_async: bool) -> Any:
        """Return a function that calls this method of the grader's object, or of its first argument's."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            if number is not None:
                return self.call_back(number, method, arguments, keywords)
            return self.call_back(arguments[0]._grader_number, method, arguments[1:], keywords)

        async def call_async(*arguments: Any, **keywords: Any) -> Any:
            await standard("asyncio").sleep(0)
            return call(*arguments, **keywords)

        chosen: Any = call_async if is_async else call
        chosen.__name__ = chosen.__qualname__ = shown
        return chosen

    def stand_in(self, number: int, kind: int | None, name: str, is_async: bool) -> Any:
        """Return what stands for an object of the grader's: always the same for the same object."""
        if number not in self.shared:
            if kind is None:
                value = self.caller("__call__", name, number, is_async=is_async)
            else:
                value = self.classes[kind].__new__(self.classes[kind])
            object.__setattr__(value, "_grader_number", number)
            self.shared[number] = value
        return self.shared[number]


def hidden(descriptor: int) -> int:
    """Move the socket to a number that is no use to guess, and keep it from other programs."""
    for _ in range(8):
        target = 100 + int.from_bytes(os.urandom(2), "big") % 900
        try:
            os.fstat(target)
        except OSError:
            try:
                moved = os.dup2(descriptor, target, inheritable=False)
            except OSError:  # above the limit of descriptors
                continue
            os.close(descriptor)
            return moved
    os.set_inheritable(descriptor, False)
    return descriptor


def main() -> None:
    program = Program(hidden(int(sys.argv[1])), os.path.realpath("".join(sys.argv[2:3]) or os.curdir))
    os.set_blocking(program.descriptor, True)
    os.register_at_fork(after_in_child=program.let_go)
    del sys.argv[1:]
    sys.path.insert(0, program.folder[:-1])
    # What was printed before a crash must have arrived.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    program.serve()


if __name__ == "__main__":
    main()
