from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from labrunner.errors import AuthoringError
from labrunner.kit.failures import Failure
from labrunner.kit.functions import (
    FunctionProgram,
    Object,
    Raised,
    Record,
    awaited,
    entered,
    held,
    iterated,
    operate,
    plain,
    raises,
    release,
    together,
)

Start = Callable[..., FunctionProgram]

ACCOUNTS = """
    import weakref
    from dataclasses import dataclass
    from functools import lru_cache
    import json

    RATE = 0.5

    class OverdrawnError(Exception):
        def __init__(self, missing):
            super().__init__(f"{missing} too much")
            self.missing = missing

    class Account:
        kind = "current"

        def __init__(self, balance=0, *, owner="nobody"):
            self.balance = balance
            self.owner = owner

        @property
        def broken(self):
            raise KeyError("in the property")

        def withdraw(self, amount):
            if amount > self.balance:
                raise OverdrawnError(amount - self.balance)
            self.balance -= amount
            return self

        def __len__(self):
            return 3

        def __getitem__(self, key):
            return [self.balance, key]

        def __setitem__(self, key, value):
            setattr(self, key, value)

        def __delitem__(self, key):
            delattr(self, key)

        def __contains__(self, item):
            return item == self.owner

        def __add__(self, other):
            return self.balance + other

        def __radd__(self, other):
            return other + self.balance

        def __neg__(self):
            return -self.balance

        def __lt__(self, other):
            return self.balance < other.balance

        def __eq__(self, other):
            return True

        __hash__ = None

    @dataclass
    class Point:
        x: int
        y: int = 0

        def doubled(self):
            return Point(self.x * 2, self.y * 2)

    class Box:
        def __init__(self):
            self.log = []

        def __enter__(self):
            self.log.append("in")
            return self

        def __exit__(self, kind, error, trace):
            self.log.append([kind and kind.__name__, str(error)])
            return True

    ALIVE = weakref.WeakSet()

    class Tracked:
        def __init__(self):
            ALIVE.add(self)

    def alive():
        return len(ALIVE)

    def numbers(n, log=[]):
        for number in range(n):
            log.append(number)
            yield number

    def log():
        return numbers.__defaults__[0]

    def middle(left, right, /, *, way="mean"):
        return (left + right) / 2 if way == "mean" else left

    @lru_cache
    def squared(n):
        return n * n

    def passed(value):
        return value
"""


def test_functions_are_called_and_constants_read(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    assert solution.middle(1, 2) == 1.5
    assert solution.middle(1, 2, way="left") == 1
    assert solution.RATE == 0.5
    solution.RATE = 0.75
    assert solution.RATE == 0.75
    assert repr(solution) == "the module solution"
    assert repr(solution.middle) == "middle of the module solution"


def test_objects_stay_in_the_program_and_keep_their_state(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    account = solution.Account(10, owner="ann")
    assert isinstance(account, Object)
    assert account.balance == 10
    assert account.withdraw(4) is account
    assert account.balance == 6
    account.balance = 100
    assert account.balance == 100
    assert solution.Account.kind == "current"
    assert solution.passed(account) is account
    assert solution.passed(solution.Account)(5).balance == 5


def test_operators_reach_the_object(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    account, other = solution.Account(10, owner="ann"), solution.Account(20)
    assert len(account) == 3
    assert account["key"] == [10, "key"]
    account["note"] = "new"
    assert account.note == "new"
    del account["note"]
    assert not hasattr(account, "note")
    assert "ann" in account
    assert "bob" not in account
    assert account + 1 == 11
    assert 1 + account == 11
    assert -account == -10
    assert account < other
    assert bool(account) is True


def test_equality_is_identity_and_the_learners_own_is_asked_for_by_name(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    account = solution.Account(10)
    assert account != solution.Account(10)
    assert account != 10
    assert operate("eq", account, 10) is True
    assert operate("isinstance", account, solution.Account) is True
    assert operate("callable", solution.middle) is True
    assert len({account, account}) == 1


def test_what_a_dataclass_makes_is_an_object_and_what_a_function_returns_is_plain(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    point = solution.Point(1, 2)
    assert repr(point) == "an object of type Point"
    assert plain(point) == Record("Point", {"x": 1, "y": 2})
    assert point.doubled() == Record("Point", {"x": 2, "y": 4})
    kept = held(point.doubled)
    kept.x = 7
    assert plain(kept)["x"] == 7
    numbers = held(solution.passed, [1, 2])
    numbers.append(3)
    assert plain(numbers) == [1, 2, 3]


def test_a_generator_runs_only_as_far_as_it_is_asked(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    numbers = solution.numbers(1000)
    assert solution.log() == []
    assert next(numbers) == 0
    assert solution.log() == [0]
    assert [number for _, number in zip(range(2), numbers, strict=False)] == [1, 2]
    numbers.close()
    assert list(numbers) == []
    assert list(solution.numbers(3)) == [0, 1, 2]


def test_an_iterator_can_be_given_back(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    items = iter(held(solution.passed, [1, 2]))
    assert iter(items) is items
    assert next(items) == 1
    assert list(solution.passed(items)) == [2]
    with pytest.raises(StopIteration):
        next(items)


def test_a_context_manager_is_entered_and_left_with_the_exception(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    box = solution.Box()
    with box as same:
        assert same is box
    assert box.log == ["in", [None, "None"]]
    with pytest.raises(ValueError, match="mine"), box:
        raise ValueError("mine")
    assert box.log[-1] == ["ValueError", "mine"]


def test_a_context_manager_cannot_swallow_the_failure_of_a_check_nor_read_it(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    box = solution.Box()
    with pytest.raises(Failure, match="expected 42"), box:
        raise Failure("expected 42")
    assert box.log[-1] == ["RuntimeError", "the check has ended"]
    with pytest.raises(Raised), box:
        solution.Account(1).withdraw(2)
    assert box.log[-1] == ["OverdrawnError", "1 too much"]
    with pytest.raises(KeyboardInterrupt), box:
        raise KeyboardInterrupt
    assert box.log[-1] == "in"
    assert operate("exit", box, None) is True


def test_objects_are_let_go_of_when_nothing_refers_to_them(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    first, second = solution.Tracked(), solution.Tracked()
    again = solution.passed(first)
    assert solution.alive() == 2
    del first
    assert solution.alive() == 2
    assert again is not None
    del again
    assert solution.alive() == 1
    release(second)
    assert solution.alive() == 0
    with pytest.raises(AuthoringError, match="used after its release"):
        solution.passed(second)
    release()


def test_an_exception_is_let_go_of_with_what_its_frames_held(learner: Start) -> None:
    solution = learner("""
        import weakref
        class Big: pass
        seen = []
        def fail():
            big = Big()
            seen.append(weakref.ref(big))
            raise ValueError("x")
        def gone(): return seen[0]() is None
    """).load("solution")
    with raises("ValueError"):
        solution.fail()
    assert solution.gone() is True


def test_what_was_raised_is_known_by_its_class_text_frames_and_attributes(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    account = solution.Account(10)
    with raises("OverdrawnError") as caught:
        account.withdraw(15)
    raised = caught.raised
    assert raised.message == (
        "Account.withdraw() raised solution.OverdrawnError: 5 too much\n  solution.py, line 27, in withdraw"
    )
    assert raised.seen == "solution.OverdrawnError: 5 too much"
    assert raised.kinds == ("solution.OverdrawnError", "Exception", "BaseException")
    assert raised.text == "5 too much"
    assert raised.error.missing == 5
    assert [(frame.file, frame.line, frame.function) for frame in raised.frames] == [
        ("solution.py", 27, "withdraw")
    ]
    assert raised.evidence == {"frames": ["solution.py, line 27, in withdraw"]}
    assert raised.is_a("Exception")
    assert raised.is_a("solution.OverdrawnError")
    assert not raised.is_a("ValueError")


def test_an_expected_exception_of_another_class_or_none_at_all_fails_the_check(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    with (
        pytest.raises(Failure, match="raised solution.OverdrawnError: 1 too much") as caught,
        raises("KeyError"),
    ):
        solution.Account(0).withdraw(1)
    assert not isinstance(caught.value, Raised)
    assert caught.value.expected == "KeyError"
    with pytest.raises(Failure, match="no exception was raised") as caught, raises("KeyError", "ValueError"):
        solution.Account(1).withdraw(1)
    assert (caught.value.expected, caught.value.seen) == ("KeyError or ValueError", "no exception")


def test_a_property_that_raises_is_told_from_a_name_that_is_missing(learner: Start) -> None:
    account = learner(ACCOUNTS).load("solution").Account()
    with raises("KeyError") as caught:
        account.broken  # noqa: B018 - reading it is what is tested
    assert caught.raised.frames[0].function == "broken"
    with pytest.raises(Failure, match=r"an object of type Account has no `balanc`; did you mean `balance`\?"):
        account.balanc  # noqa: B018
    assert not hasattr(account, "__html__")


def test_async_functions_are_awaited_in_the_programs_own_loop(learner: Start) -> None:
    solution = learner("""
        import asyncio
        lock = None
        async def fetch(n):
            global lock
            lock = lock or asyncio.Lock()
            async with lock:
                await asyncio.sleep(0)
            if n < 0:
                raise ValueError(n)
            return n * 2
        def future():
            future = asyncio.get_running_loop().create_future()
            future.set_result(5)
            return future
        class Session:
            async def __aenter__(self):
                return "session"
            async def __aexit__(self, kind, error, trace):
                self.left = str(error)
        async def ticks(n):
            for number in range(n):
                yield number
        class Holder:
            async def load(self): return self
    """).load("solution")
    assert awaited(solution.fetch, 2) == 4
    assert awaited(solution.fetch, n=3) == 6
    assert awaited(solution.future) == 5
    with raises("ValueError") as caught:
        awaited(solution.fetch, -1)
    assert caught.raised.frames[-1].line == 10
    assert list(iterated(solution.ticks(3))) == [0, 1, 2]
    session = solution.Session()
    with entered(session) as value:
        assert value == "session"
    assert session.left == "None"
    with pytest.raises(Failure), entered(session):
        raise Failure("over")
    assert session.left == "the check has ended"
    holder = solution.Holder()
    assert awaited(holder.load) is holder


def test_async_where_sync_is_called_and_the_other_way_round_are_told(learner: Start) -> None:
    solution = learner("async def later(): return 1\ndef now(): return 1").load("solution")
    with pytest.raises(Failure, match=r"later\(\) is an async function") as caught:
        solution.later()
    assert caught.value.seen == "a coroutine: the function is made with `async def`"
    with pytest.raises(Failure, match=r"now\(\) cannot be awaited") as caught:
        awaited(solution.now)
    assert caught.value.seen == "a plain function, which returned an object of type int"
    assert solution.now() == 1


def test_calls_together_run_in_threads_of_their_own(learner: Start) -> None:
    solution = learner("""
        import threading
        meeting = threading.Barrier(3)
        def meet(n):
            meeting.wait(timeout=30)
            if n == 2:
                raise ValueError(n)
            return n
    """).load("solution")
    first, second, third = together(*(partial(solution.meet, n) for n in range(3)))
    assert (first, second) == (0, 1)
    assert isinstance(third, Raised)
    assert third.text == "2"
    assert together() == []


def test_calls_together_run_in_tasks_of_one_loop(learner: Start) -> None:
    solution = learner("""
        import asyncio
        waiting = []
        async def meet(n):
            waiting.append(n)
            while len(waiting) < 3:
                await asyncio.sleep(0)
            if n == 2:
                raise ValueError(n)
            return n
        async def leave():
            raise SystemExit(3)
        def plain(): return 1
    """).load("solution")
    *values, third = together(*(partial(solution.meet, n) for n in range(3)), awaits=True)
    assert values == [0, 1]
    assert isinstance(third, Raised)
    with pytest.raises(Failure, match="cannot be awaited"):
        together(partial(solution.plain), awaits=True)
    with raises("SystemExit"):
        together(partial(solution.leave), awaits=True)


def test_only_what_is_the_learners_can_be_called_so() -> None:
    with pytest.raises(AuthoringError, match="is no function of the learner's"):
        awaited(len)  # type: ignore[arg-type]
    with pytest.raises(AuthoringError, match="no operand is the learner's"):
        operate("eq", 1, 2)


def test_an_object_of_another_program_is_the_labs_fault(learner: Start) -> None:
    first = learner(ACCOUNTS).load("solution")
    second = learner().load("solution")
    with pytest.raises(AuthoringError, match="belongs to another program"):
        second.passed(first.Account())
    assert second.passed(1) == 1


def test_a_module_in_a_package_is_loaded_by_its_full_name(learner: Start, submission: Path) -> None:
    (submission / "shop").mkdir()
    (submission / "shop" / "prices.py").write_text("def price(): return 5")
    program = learner("from shop.prices import price")
    assert program.load("shop.prices").price() == 5
    assert program.load("solution").price() == 5
    assert program.load("shop.prices") is program.load("shop.prices")


def test_what_no_import_takes_is_the_labs_fault(learner: Start) -> None:
    with pytest.raises(AuthoringError, match="'a-b' is not the name of a module"):
        learner("").load("a-b")


def test_a_closed_program_says_so(learner: Start) -> None:
    program = learner("def f(): return 1")
    solution = program.load("solution")
    before = program.has_ended
    program.close()
    assert (before, program.has_ended) == (False, True)
    with pytest.raises(Failure, match=r"had already ended before f of the module .*: the lab has closed it"):
        solution.f()


def test_functions_of_functions_are_reached(learner: Start) -> None:
    solution = learner(ACCOUNTS).load("solution")
    assert solution.squared(3) == 9
    assert solution.squared.cache_info()[1] == 1
    assert not hasattr(solution.squared, "__len__")
