"""The grader's side against a peer that knows the protocol and keeps to none of it."""

import itertools
import json
import socket
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from types import NoneType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labrunner.kit.failures import Failure
from labrunner.kit.functions import Counting, FunctionProgram, Member, Object, Raised, Record, together
from labrunner.kit.values import shown

Reply = Callable[[str], bytes]
Answering = Callable[..., AbstractContextManager[FunctionProgram]]
Said = Callable[[str], Reply]
Pairs = Callable[..., tuple[socket.socket, FunctionProgram]]
Replying = Callable[..., Any]

MODULE = '"value":{"object":[1,"module","",false]}'
CALLABLE = '"value":{"callable":"f"}'
TOLD = '{"kinds":["ValueError"],"text":"x","frames":[["a.py",1,"f"]],"origin":null,"held":{"object":[9,"E","",false]}}'
EXACT = {
    NoneType, bool, int, float, str, bytes, list, tuple, set, frozenset, dict, Decimal, datetime, date, time,
    timedelta, UUID, Record, Member,
}  # fmt: skip


@pytest.fixture(scope="session")
def replying(answering: Answering, said: Said) -> Replying:
    """Calls a function that answers with these bytes, or with what stands in its message."""

    def reply(*replies: str | Reply, **settings: Any) -> Any:
        made = [said(reply) if isinstance(reply, str) else reply for reply in replies]
        with answering(said(MODULE), said(CALLABLE), *made, **settings) as program:
            return program.load("solution").f(1)

    return reply


def test_a_reply_that_is_one_is_taken(replying: Replying) -> None:
    assert replying('"value":[1,{"tuple":["a"]}]') == [1, ("a",)]


@pytest.mark.parametrize(
    "text",
    [
        '"value":NaN',
        '"value":Infinity',
        '"value":-Infinity',
        '"value":1e999',
        '"value":[1e999]',
        '"value":[1.5,1e999]',
        '"value":' + "1" * 5000,
        '"value":' + "[" * 100_000 + "]" * 100_000,
        '"value":' + '{"tuple":[' * 200 + "]}" * 200,
        '"value":' + "[" * 200 + "]" * 200,
        '"value":1,"value":2',
        '"value":{"tuple":[],"tuple":[]}',
        '"value":{"tuple":[],"list":[]}',
        '"value":{}',
        '"value":{"tuple":5}',
        '"value":{"pickle":"gASV"}',
        '"value":{"__class__":"x"}',
        '"value":{"value":[]}',
        '"value":{"callable":"g"}',
        '"value":{"dict":[1]}',
        '"value":{"dict":[[],1]}',
        '"value":{"dict":[1,2,1,3]}',
        '"value":{"dict":[1,2,true,3]}',
        '"value":{"set":[1,1]}',
        '"value":{"set":[[]]}',
        '"value":{"frozenset":[{"dict":[]}]}',
        '"value":{"bytes":"0"}',
        '"value":{"bytes":"0A"}',
        '"value":{"bytes":"0a 0b"}',
        '"value":{"bytes":5}',
        '"value":{"float":"1.5e5000"}',
        '"value":{"float":"NaN"}',
        '"value":{"float":[]}',
        '"value":{"decimal":"sNaN"}',
        '"value":{"decimal":"NaN1"}',
        '"value":{"decimal":"1e5"}',
        '"value":{"decimal":"1E+99999"}',
        '"value":{"decimal":" 1"}',
        '"value":{"decimal":"1_0"}',
        '"value":{"decimal":"%s"}' % ("1" * 4301),
        '"value":{"decimal":5}',
        '"value":{"decimal":[0,[1],0]}',
        '"value":{"datetime":["2024-01-01",0]}',
        '"value":{"datetime":["2024-01-01T00:00:00",2]}',
        '"value":{"datetime":["2024-13-01T00:00:00",0]}',
        '"value":{"datetime":"2024-01-01T00:00:00"}',
        '"value":{"date":"20240101"}',
        '"value":{"date":5}',
        '"value":{"time":["25:00:00",0]}',
        '"value":{"time":[]}',
        '"value":{"timedelta":[1,2]}',
        '"value":{"timedelta":[0,90000,0]}',
        '"value":{"timedelta":[9999999999,0,0]}',
        '"value":{"timedelta":[1,2,3,4,5,6,7,8]}',
        '"value":{"uuid":"00"}',
        '"value":{"uuid":"{00000000-0000-0000-0000-000000000000}"}',
        '"value":{"uuid":5}',
        '"value":{"text":[1114112]}',
        '"value":{"text":[-1]}',
        '"value":{"text":["a"]}',
        '"value":{"text":"ab"}',
        '"value":{"record":[]}',
        '"value":{"record":["m","R","a"]}',
        '"value":{"record":["m","R","a",1,"a",2]}',
        '"value":{"record":["m","R",5,1]}',
        '"value":{"record":[5,"R"]}',
        '"value":{"member":["m","E","A"]}',
        '"value":{"member":["m","E",5,1]}',
        '"value":{"object":[1,"A",""]}',
        '"value":{"object":[true,"A","",false]}',
        '"value":{"object":[0,"A","",false]}',
        '"value":{"object":[-1,"A","",false]}',
        '"value":{"object":[9007199254740992,"A","",false]}',
        '"value":{"object":[5,"A","",0]}',
        '"value":{"object":[5,5,"",false]}',
        '"value":{"object":[5,"%s","",false]}' % ("A" * 30_000),
        '"value":{"yours":1}',
        '"value":{"yours":"1"}',
        '"value":{"held":[1,null]}',
        '"raised":"ValueError"',
        '"raised":{}',
        '"raised":' + TOLD.replace('["ValueError"]', "[]"),
        '"raised":' + TOLD.replace('["ValueError"]', "[5]"),
        '"raised":' + TOLD.replace('"x"', "5"),
        '"raised":' + TOLD.replace('[["a.py",1,"f"]]', '[["a.py",1]]'),
        '"raised":' + TOLD.replace('"a.py",1', '"a.py","1"'),
        '"raised":' + TOLD.replace('{"object":[9,"E","",false]}', "5"),
        '"raised":' + TOLD.replace('"origin":null', '"origin":"1"'),
        '"raised":' + TOLD.replace('"origin":null', '"origin":null,"names":5'),
        '"raised":' + TOLD.replace('"origin":null', '"origin":null,"signature":5'),
        '"bad_value":["odd",""]',
        '"bad_value":["digits"]',
        '"bad_value":5',
        '"import_error":[null,[]]',
        '"call_back":5',
        '"call_back":[1,"f",[],{}]',
        '"call_back":[1,"f",5,{}]',
        '"call_back":[1,"f",[],5]',
        '"call_back":["1","f",[],{}]',
        '"value":1,"raised":2',
        '"odd":1',
        '"result":1',
    ],
)  # fmt: skip
def test_what_is_no_reply_ends_the_program_and_fails_the_check(
    answering: Answering, said: Said, text: str
) -> None:
    with answering(said(MODULE), said(CALLABLE), said(text)) as program:
        f = program.load("solution").f
        with pytest.raises(
            Failure, match=r"the program sent a message that is no reply: .*, during f\(\)"
        ) as caught:
            f(1)
        assert not isinstance(caught.value, Raised)
        assert program.has_ended


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"", "bytes to the lab's socket that are no reply"),
        (b"[]", "is not one JSON object"),
        (b"5", "is not one JSON object"),
        (b"{} {}", "is not one JSON object"),
        (b" {}", "not JSON as the protocol has it"),
        (b"{", "not JSON as the protocol has it"),
        (b"\xff\xfe{\x00}\x00", "not JSON as the protocol has it"),
        ('{"value":"ü"}'.encode(), "not JSON as the protocol has it"),
        (b"{}", "does not answer what was asked"),
        (b'{"value":5}', "does not answer what was asked"),
        (b'{"nonce":null,"value":5}', "does not answer what was asked"),
        (b'{"nonce":"0123456789abcdef","value":5}', "does not answer what was asked"),
        (b'{"nonce":"0123456789abcdef","nonce":"0123456789abcdef","value":5}', "not JSON"),
    ],
)
def test_a_message_without_the_nonce_of_its_request_is_refused(
    replying: Replying, message: bytes, words: str
) -> None:
    with pytest.raises(Failure) as caught:
        replying(lambda _: len(message).to_bytes(4, "big") + message)
    assert words in caught.value.message


def test_a_reply_before_its_request_fails_the_run(answering: Answering, said: Said) -> None:
    def twice(nonce: str) -> bytes:
        return said(CALLABLE)(nonce) + said('"value":3')(nonce)

    with (
        answering(said(MODULE), twice) as program,
        pytest.raises(Failure, match="more to the lab's socket than one"),
    ):
        program.load("solution").f(1)


def test_a_reply_that_waits_before_the_request_is_sent_fails_the_run(said: Said, pairs: Pairs) -> None:
    theirs, program = pairs()
    theirs.sendall(said('"value":3')("0123456789abcdef"))
    with pytest.raises(
        Failure, match="wrote to the lab's socket without having been asked, during the import"
    ) as caught:
        program.load("solution")
    assert caught.value.expected == "one reply to each request, made by the lab's own part of the program"


def test_a_program_that_is_gone_before_the_request_has_ended(pairs: Pairs) -> None:
    theirs, program = pairs()
    theirs.close()
    with pytest.raises(
        Failure, match=r"the program ended during the import of solution: exit status 7"
    ) as caught:
        program.load("solution")
    assert (caught.value.expected, caught.value.seen) == ("a program that goes on running", "exit status 7")
    with pytest.raises(Failure, match="already ended"):
        program.load("solution")


@pytest.mark.parametrize("size", [0, 1_000_001, 2**32 - 1])
def test_a_size_that_no_message_has_is_refused_before_anything_is_read(replying: Replying, size: int) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Failure, match="bytes to the lab's socket that are no reply"):
            replying(lambda _: size.to_bytes(4, "big") + b"a" * 100)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_the_largest_message_takes_little_memory(replying: Replying) -> None:
    tracemalloc.start()
    try:
        assert len(replying('"value":[' + "[]," * 300_000 + "0]")) == 300_001
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_a_message_that_breaks_off_is_an_end(replying: Replying) -> None:
    for part in (b"\0", b"\0\0\0\x20", b'\0\0\0\x20{"nonce"'):
        with pytest.raises(Failure, match=r"the program ended during f\(\)"):
            replying(lambda _, part=part: part)


def test_silence_ends_at_the_deadline(pairs: Pairs) -> None:
    _, program = pairs(call_s=0.2)
    with pytest.raises(Failure, match=r"the import of solution did not finish within 0.2 s") as caught:
        program.load("solution")
    assert (caught.value.expected, caught.value.seen) == ("an end within 0.2 s", "it still ran")


def test_a_program_that_never_reads_ends_at_the_deadline(pairs: Pairs) -> None:
    _, program = pairs(call_s=0.2)
    with pytest.raises(Failure, match="did not finish within 0.2 s"):
        program.load("a" * 900_000)


def test_a_drip_of_bytes_does_not_move_the_deadline(answering: Answering) -> None:
    ticks = itertools.count()
    drip = b"\0\x0f\x42\x40" + b" " * 999_999
    with (
        answering(*[lambda _: drip] * 3, call_s=10, clock=lambda: float(next(ticks)), step=1) as program,
        pytest.raises(Failure, match="did not finish within 10 s"),
    ):
        program.load("solution")


def test_keys_made_to_collide_are_refused(replying: Replying) -> None:
    keys = ",".join(str(number * (2**61 - 1)) for number in range(1, 30_000))
    with pytest.raises(Failure, match="made for a table to be slow"):
        replying(f'"value":{{"set":[{keys}]}}')


def test_the_time_spent_on_reading_counts(replying: Replying) -> None:
    ticks = itertools.count()
    keys = ",".join(map(str, range(40_000)))
    with pytest.raises(Failure, match=r"f\(\) did not finish within 50 s"):
        replying(f'"value":{{"set":[{keys}]}}', call_s=50, clock=lambda: float(next(ticks)))


TAGS = st.sampled_from(
    "tuple set frozenset dict float text bytes decimal datetime date time timedelta uuid record member object "
    "yours callable value raised bad_value import_error call_back kinds frames held odd".split()
)
TEXTS = st.sampled_from(["", "a", "nan", "1.5", "00", "2024-01-01", "2024-01-01T00:00:00", "00:00:00", "m"])
json_data = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats() | TEXTS | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TAGS, inner, min_size=1, max_size=1),
    max_leaves=25,
)
valid = st.sampled_from(
    [
        MODULE,
        CALLABLE,
        f'"raised":{TOLD}',
        '"bad_value":["digits",""]',
        f'"import_error":[{TOLD},["a.py"]]',
        '"call_back":[1,"f",[1,{"tuple":[]}],{"way":null}]',
        '"value":[1,1.5,"a",null,true,{"dict":["a",{"set":[1,2]}]},{"bytes":"00ff"},{"float":"nan"}]',
        '"value":[{"decimal":"1.50"},{"datetime":["2024-01-01T00:00:00",0]},{"date":"2024-01-01"}]',
        '"value":[{"time":["01:00:00",1]},{"timedelta":[1,2,3]},{"uuid":"' + "0" * 32 + '"}]',
        '"value":[{"record":["m","R","a",1]},{"member":["m","E","A",1]},{"object":[7,"A","list",true]}]',
        '"value":{"text":[55357,56832]}',
    ]
)
mutations = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2), st.binary(max_size=3)), max_size=4)


def mutated(message: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, removed, added in changes:
        at = place % (len(message) + 1)
        message = message[:at] + added + message[at + removed :]
    return message


def assert_harmless(value: object) -> None:
    """It is of a plain type, exactly, and so is all in it; or one of the proxies."""
    if isinstance(value, Object):
        return
    assert type(value) in EXACT
    if isinstance(value, dict):
        assert_harmless(list(value) + list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            assert_harmless(item)
    elif isinstance(value, Record):
        assert_harmless(list(value.fields.values()))
    elif isinstance(value, float):
        assert repr(value)


def assert_bounded(use: Callable[[], object]) -> None:
    """Nothing comes of it but a harmless value or a failure."""
    try:
        value = use()
    except Failure as failure:
        assert len(failure.message) < 25_000
    else:
        assert_harmless(value)
        assert isinstance(shown(value), str)


@settings(max_examples=300, deadline=None)
@given(asked=st.integers(0, 2), reply=st.binary(max_size=200))
def test_whatever_bytes_come_only_failures_come_of_them(
    answering: Answering, said: Said, asked: int, reply: bytes
) -> None:
    before = [said(MODULE), said(CALLABLE)][:asked]
    with answering(*before, lambda _: reply) as program, pytest.raises(Failure):
        program.load("solution").f(1)


@settings(max_examples=500, deadline=None)
@given(
    data=json_data,
    tag=st.sampled_from(["value", "value", "value", "raised", "bad_value", "call_back", "odd"]),
)
def test_whatever_data_comes_only_plain_values_come_of_it(replying: Replying, data: object, tag: str) -> None:
    assert_bounded(lambda: replying(f'"{tag}":{json.dumps(data)}'))


@settings(max_examples=500, deadline=None)
@given(text=valid, changes=mutations, early=st.booleans())
def test_a_message_with_changes_is_read_or_refused(
    answering: Answering, said: Said, text: str, changes: list[tuple[int, int, bytes]], *, early: bool
) -> None:
    before = [] if early else [said(MODULE), said(CALLABLE)]

    def reply(nonce: str) -> bytes:
        message = mutated(said(text)(nonce)[4:], changes)
        return len(message).to_bytes(4, "big") + message

    with answering(*before, reply) as program:
        assert_bounded(lambda: program.load("solution").f(1))


@settings(max_examples=200, deadline=None)
@given(changes=mutations.filter(bool))
def test_a_changed_length_is_read_or_refused(
    answering: Answering, said: Said, changes: list[tuple[int, int, bytes]]
) -> None:
    with answering(lambda nonce: mutated(said(MODULE)(nonce), changes)) as program:
        assert_bounded(lambda: program.load("solution").f(1))


@pytest.mark.parametrize(
    ("use", "value"),
    [
        (len, "true"),
        (len, "1.5"),
        (len, "null"),
        (bool, "1"),
        (bool, "null"),
        (next, "5"),
        (next, "null"),
        (next, '{"tuple":[]}'),
    ],
)
def test_one_of_pythons_own_functions_that_returns_what_it_cannot_return_is_refused(
    answering: Answering, said: Said, use: Callable[[object], object], value: str
) -> None:
    with answering(
        said(MODULE), said('"value":{"object":[2,"A","",true]}'), said(f'"value":{value}')
    ) as program:
        a = program.load("solution").a
        with pytest.raises(Failure, match=r"returned no (int|bool|list), during"):
            use(a)


def test_a_length_that_no_object_has_is_no_error_of_the_graders(answering: Answering, said: Said) -> None:
    replies = [said(MODULE), said('"value":{"object":[2,"A","",true]}'), said('"value":-' + "9" * 30)]
    with answering(*replies) as program:
        assert len(program.load("solution").a) >= 0


def test_a_call_back_gets_only_what_its_object_offers(answering: Answering, said: Said) -> None:
    key = Counting(5, Counter())
    for name in ("value", "used", "__class__", "__init__", "__reduce_ex__", "_counts"):
        numbers: list[int] = []

        def reply(nonce: str, name: str = name, numbers: list[int] = numbers) -> bytes:
            return said(f'"call_back":[{numbers[0]},"{name}",[],{{}}]')(nonce)

        with answering(said(MODULE), said(CALLABLE), reply, requests=numbers) as program:
            f = program.load("solution").f
            with pytest.raises(Failure, match="does not offer what was asked of it"):
                f(key)


def test_a_list_of_replies_must_be_one(answering: Answering, said: Said) -> None:
    for value in ("5", "[]", "[1]", "[{}]", '[{"odd":1}]', '[{"value":1,"raised":2}]'):
        with answering(said(MODULE), said(CALLABLE), said(f'"value":{value}')) as program:
            f = program.load("solution").f
            with pytest.raises(Failure, match="a message that is no reply"):
                together(partial(f, 1))


def test_a_module_must_be_described_as_one(answering: Answering, said: Said) -> None:
    for text in (
        '"value":5',
        '"value":{"object":[1]}',
        '"value":{"tuple":[]}',
        f'"raised":{TOLD}',
        '"odd":1',
    ):
        with answering(said(text)) as program, pytest.raises(Failure, match="a message that is no reply"):
            program.load("solution")


def test_a_duplicate_name_of_a_file_is_text_and_nothing_more(answering: Answering, said: Said) -> None:
    with answering(said('"import_error":[null,["\\u001b[31m.py","../../x.py"]]')) as program:
        with pytest.raises(Failure, match="solution.py is missing") as caught:
            program.load("solution")
    assert caught.value.seen == "\x1b[31m.py, ../../x.py"
