import itertools
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, NoReturn, Self

import pytest

from labrunner.errors import AuthoringError, MachineError
from labrunner.kit.failures import Failure, NotJudged
from labrunner.kit.functions import (
    Counting,
    FunctionProgram,
    Raised,
    Shared,
    Throw,
    awaited,
    entered,
    iterated,
    raises,
    together,
)

Start = Callable[..., FunctionProgram]

SOLUTION = """
    import asyncio, copy, threading
    from abc import ABC, abstractmethod

    class PaymentError(Exception):
        pass

    class Carrier(ABC):
        def __init__(self):
            raise RuntimeError("never called")
        @abstractmethod
        def rate(self, weight): ...
        def quote(self, weight):
            return {self.name: self.rate(weight)}

    def apply(function, *arguments, **named):
        return function(*arguments, **named)
    def name_of(function):
        return function.__name__
    def safely(function):
        try:
            return function()
        except Exception as error:
            return [type(error).__name__, str(error), [base.__name__ for base in type(error).__mro__]]
    def pay(gateway):
        try:
            return gateway.charge(5)
        except PaymentError as error:
            return ["refused", *error.args]
    def ordered(items): return sorted(items)
    def indexed(items): return {item: number for number, item in enumerate(items)}
    def found(table, item): return table[item]
    def contains(items, item): return item in items
    def best(carriers): return [carrier.quote(2) for carrier in carriers]
    def is_carrier(value): return isinstance(value, Carrier)
    def take(iterable, n): return [item for item, _ in zip(iterable, range(n))]
    def total(iterable):
        total = 0
        for number in iterable:
            total += number
        return total
    def same(left, right): return left is right
    def passed(value): return value
    def used(manager):
        with manager as value:
            raise ValueError(value)
    async def waits(sleep): return await sleep(1.5)
    async def each(source): return [item async for item in source]
    def words(value): return repr(value)
    def secret_of(gateway): return gateway.secret()
    def copied(value): return copy.deepcopy(value).number()
    def calls(*functions): return [function() for function in functions]
    def background(function):
        thread = threading.Thread(target=function)
        thread.start()
        return thread
    def from_threads(function, n):
        results = []
        threads = [threading.Thread(target=lambda: results.append(function())) for _ in range(n)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        return sorted(results)
    class Subject:
        def __init__(self): self.observers = []
        def add(self, observer): self.observers.append(observer)
        def remove(self, observer): self.observers.remove(observer)
        def tell(self, what):
            for observer in list(self.observers): observer(self, what)
"""


@pytest.fixture
def solution(learner: Start) -> Any:
    return learner(SOLUTION).load("solution")


def test_a_function_of_the_graders_is_called_in_the_graders_process(solution: Any) -> None:
    seen: list[object] = []

    def record(*arguments: object, **named: object) -> str:
        seen.append((arguments, named))
        return "done"

    assert solution.apply(record, 1, (2,), way="x") == "done"
    assert seen == [((1, (2,)), {"way": "x"})]
    assert solution.name_of(record) == "record"
    assert solution.name_of(partial(record, 1)) == "partial"
    assert solution.passed(record) is record


def test_the_same_object_is_the_same_each_time_it_is_given(solution: Any) -> None:
    subject = solution.Subject()
    told: list[object] = []

    def observer(source: object, what: object) -> None:
        told.append((source, what))
        subject.remove(observer)

    subject.add(observer)
    subject.tell("first")
    subject.tell("second")
    assert told == [(subject, "first")]
    assert solution.same(observer, observer) is True


def test_keys_count_their_comparisons_in_the_graders_process(solution: Any) -> None:
    counts: Counter[str] = Counter()
    keys = [Counting(value, counts) for value in (5, 3, 9, 1, 7)]
    assert [key.value for key in solution.ordered(keys)] == [1, 3, 5, 7, 9]
    assert 5 <= counts["__lt__"] <= 10
    counts.clear()
    table = solution.indexed(keys)
    assert counts["__hash__"] == 5
    assert {key.value: number for key, number in table.items()} == {5: 0, 3: 1, 9: 2, 1: 3, 7: 4}
    counts.clear()
    assert solution.contains(keys, Counting(7, counts)) is True
    assert counts["__eq__"] == 5


def test_keys_order_and_equal_as_their_values_do_and_only_among_themselves() -> None:
    counts: Counter[str] = Counter()
    one, two = Counting(1, counts), Counting(2, counts)
    assert one < two
    assert one <= two
    assert two > one
    assert two >= one
    assert one != two
    assert one == Counting(1.0, counts)
    assert hash(one) == hash(Counting(1.0, counts)) != 1
    assert one != 1
    for compare in ("__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(one, compare)(1) is NotImplemented
    assert not counts


def test_a_key_does_not_tell_its_value(solution: Any) -> None:
    words = solution.words(Counting(4711, Counter()))
    assert "4711" not in words
    with raises("TypeError"):
        solution.apply(sorted, [Counting(1, Counter()), 2])


class Gateway(Shared):
    offers = ("charge", "name", "number", "__enter__", "__exit__")
    name = "fake"

    def __init__(self) -> None:
        self.left: list[tuple[Any, Any, Any]] = []

    def charge(self, amount: int) -> int:
        return amount * 100

    def number(self) -> int:
        return id(self)

    def secret(self) -> int:
        return 42

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        self.left.append((kind, error, trace))
        return True


def test_an_object_offers_what_it_names_and_nothing_else(solution: Any) -> None:
    gateway = Gateway()
    assert solution.pay(gateway) == 500
    assert solution.passed(gateway) is gateway
    assert solution.copied(gateway) == id(gateway)
    with raises("AttributeError"):
        solution.secret_of(gateway)


def test_an_object_of_the_graders_is_a_context_manager_for_the_learner(solution: Any) -> None:
    gateway = Gateway()
    assert solution.used(gateway) is None
    ((kind, error, _),) = gateway.left
    assert repr(kind) == "an object of type type"
    assert error.args == (gateway,)


class Express(Shared):
    offers = ("rate", "name")

    def __init__(self, extends: object) -> None:
        self.extends = extends
        self.name = "express"

    def rate(self, weight: int) -> int:
        return weight * 7


def test_an_object_of_the_graders_extends_a_class_of_the_learners(solution: Any) -> None:
    express = Express(solution.Carrier)
    assert solution.is_carrier(express) is True
    assert solution.best([express, Express(solution.Carrier)]) == [{"express": 14}, {"express": 14}]
    assert solution.is_carrier(Gateway()) is False


def test_a_class_that_leaves_an_abstract_method_out_says_so(solution: Any) -> None:
    class Half(Shared):
        offers = ("name",)
        name = "half"
        extends = solution.Carrier

    with pytest.raises(Raised, match="abstract"):
        solution.best([Half()])
    assert solution.is_carrier(1) is False


def test_an_iterator_of_the_graders_is_asked_for_each_item(solution: Any) -> None:
    pulled: list[int] = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            pulled.append(number)
            yield number

    assert solution.take(endless(), 3) == [0, 1, 2]
    assert pulled == [0, 1, 2, 3]
    assert solution.total(iter([1, 2, 3])) == 6


def test_async_functions_and_iterators_of_the_graders_are_awaited_by_the_learner(solution: Any) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> str:
        slept.append(seconds)
        return "slept"

    class Source(Shared):
        offers = ("__aiter__", "__anext__")

        def __init__(self) -> None:
            self.left = [3, 2, 1]

        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    assert awaited(solution.waits, sleep) == "slept"
    assert slept == [1.5]
    assert awaited(solution.each, Source()) == [1, 2, 3]


class Never:
    def __await__(self) -> Generator[None, None, None]:
        yield


def test_a_coroutine_of_the_graders_that_waits_is_the_labs_fault(solution: Any) -> None:
    async def stuck() -> None:
        await Never()

    with pytest.raises(AuthoringError, match="waits for something"):
        awaited(solution.apply, stuck)


def test_an_exception_of_a_call_back_is_one_in_the_learners_code_and_comes_back(solution: Any) -> None:
    class BoomError(LookupError):
        pass

    def boom(*facts: object) -> NoReturn:
        raise BoomError(*facts)

    assert solution.safely(boom) == [
        "BoomError",
        "",
        ["BoomError", "LookupError", "Exception", "BaseException", "object"],
    ]
    with raises("LookupError") as caught:
        solution.apply(boom, "why", 3)
    assert caught.raised.error.args == ("why", 3)
    assert isinstance(caught.raised.original, BoomError)
    assert [frame.function for frame in caught.raised.frames] == ["apply"]
    with raises("KeyError"):
        solution.apply(lambda: dict[str, int]()["key"])


def test_an_exception_whose_arguments_cannot_cross_comes_with_its_text(solution: Any) -> None:
    def boom() -> NoReturn:
        raise ValueError(object())

    name, text, _ = solution.safely(boom)
    assert [name, text.partition(" at ")[0] + ">"] == ["ValueError", "<object object>"]


def test_an_exception_can_be_passed_as_a_value(solution: Any) -> None:
    assert solution.words(ValueError("x")) == "ValueError('x')"


def test_a_call_back_can_raise_the_learners_own_exception(solution: Any) -> None:
    class Refusing(Shared):
        offers = ("charge",)

        def charge(self, amount: int) -> NoReturn:
            raise Throw(solution.PaymentError("no money", amount))

    assert solution.pay(Refusing()) == ["refused", "no money", 5]


def test_what_a_nested_call_raises_goes_through_the_learners_code(solution: Any) -> None:
    def nested() -> object:
        return solution.apply(nested_fails)

    def nested_fails() -> NoReturn:
        raise ZeroDivisionError("deep")

    assert solution.safely(nested)[0] == "ZeroDivisionError"
    with raises("ZeroDivisionError"):
        solution.apply(nested)


@pytest.mark.parametrize(
    "error",
    [
        Failure("seen twice", expected="42"),
        AssertionError("not this"),
        NotJudged("no server", "start it"),
        MachineError("no disk"),
        KeyboardInterrupt(),
    ],
)
def test_what_ends_a_check_is_not_for_the_learners_code(solution: Any, error: BaseException) -> None:
    def ends() -> NoReturn:
        raise error

    with pytest.raises(type(error)) as caught:
        solution.safely(ends)
    assert caught.value is error
    with pytest.raises(Failure, match=r"had already ended before .*: the lab broke off safely\(\)"):
        solution.safely(ends)


def test_calls_nest_to_a_bounded_depth(solution: Any) -> None:
    def down(left: int) -> object:
        return solution.apply(down, left - 1) if left else "bottom"

    assert solution.apply(down, 10) == "bottom"
    with pytest.raises(Failure, match="call each other more than 16 levels deep"):
        solution.apply(down, 100)


def test_call_backs_from_many_threads_take_turns(solution: Any) -> None:
    numbers = itertools.count()
    assert solution.from_threads(lambda: next(numbers), 8) == list(range(8))


def test_a_thread_that_is_left_over_calls_back_in_a_later_call(solution: Any) -> None:
    seen: list[int] = []
    thread = solution.background(lambda: seen.append(1))
    thread.join()
    assert seen == [1]


def test_a_call_back_cannot_make_calls_together_or_await_within_an_awaited_call(learner: Start) -> None:
    solution = learner(SOLUTION).load("solution")
    with pytest.raises(AuthoringError, match="a call-back makes calls together"):
        solution.apply(lambda: together(partial(solution.passed, 1)))
    solution = learner(SOLUTION).load("solution")

    async def sleep(_: float) -> object:
        return awaited(solution.waits, sleep)

    with pytest.raises(AuthoringError, match="a call-back of an awaited call awaits another one"):
        awaited(solution.waits, sleep)


def test_arguments_too_large_for_a_call_back_are_an_exception_of_the_learners(learner: Start) -> None:
    solution = learner("def f(function): function('a' * 2_000_000)").load("solution")
    with raises("ValueError") as caught:
        solution.f(lambda _: None)
    assert "too large to be sent" in caught.raised.text


def test_descriptions_that_were_not_sent_are_sent_later(solution: Any) -> None:
    with pytest.raises(AuthoringError, match="takes"):
        solution.apply(Gateway(), "a" * 1_000_000)
    assert solution.pay(Gateway()) == 500


def test_an_async_context_manager_is_left_alone_when_the_program_has_ended(learner: Start) -> None:
    solution = learner("""
        import os
        class Session:
            async def __aenter__(self): return self
            def crash(self): os._exit(3)
    """).load("solution")
    with pytest.raises(Failure, match="the program ended during"), entered(solution.Session()) as session:
        session.crash()
    with pytest.raises(Failure, match="already ended"):
        list(iterated(solution))
