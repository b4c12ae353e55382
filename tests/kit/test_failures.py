import json
from typing import Any

import pytest

from labrunner.kit import (
    Failure,
    NotJudged,
    Plan,
    Statement,
    expect_at_most,
    expect_equal,
    expect_rows,
    fail,
    not_judged,
)
from labrunner.kit.plan import read_plan

PLAN: list[dict[str, Any]] = [
    {
        "Plan": {
            "Node Type": "Result",
            "Actual Rows": 1,
            "Actual Loops": 1,
            "Shared Hit Blocks": 0,
            "Shared Read Blocks": 0,
        }
    }
]


def test_a_failure_carries_words_texts_and_evidence() -> None:
    with pytest.raises(Failure) as caught:
        fail("The mail was not sent.", expected="one mail", seen=None, evidence={"mails": 0})
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value) == caught.value.message == "The mail was not sent."
    assert (caught.value.expected, caught.value.seen) == ("one mail", None)
    assert caught.value.evidence == {"mails": 0}


def test_values_given_to_a_failure_are_shown() -> None:
    failure = Failure("message", expected=(1, None), seen="\ud800")
    assert (failure.expected, failure.seen) == ("(1, NULL)", "\\ud800")


def test_plans_and_statements_in_evidence_become_texts() -> None:
    plan: Plan = read_plan(PLAN)
    failure = Failure("message", evidence={"plan": plan, "query": Statement("select 1", 1, "")})
    assert failure.evidence == {"plan": "Result  1 row, 0 blocks", "query": "select 1"}


def test_everything_in_a_failure_fits_into_one_event() -> None:
    noise = "\x01" * 1_000_000
    failure = Failure(noise, expected=noise, seen=noise, evidence={str(n): noise for n in range(9)})
    event = [failure.message, failure.expected, failure.seen, failure.evidence]
    assert len(json.dumps(event)) < 900_000
    assert list(failure.evidence) == ["cut"]


def test_a_check_that_cannot_judge_says_why_and_what_to_do() -> None:
    with pytest.raises(NotJudged) as caught:
        not_judged("There is no disk space.", "make room")
    assert not isinstance(caught.value, AssertionError)
    assert (str(caught.value), caught.value.message, caught.value.remedy) == (
        "There is no disk space.",
        "There is no disk space.",
        "make room",
    )


def test_equal_values_pass() -> None:
    expect_equal(1, 1, "never raised")


def test_unequal_values_fail_with_both() -> None:
    with pytest.raises(Failure) as caught:
        expect_equal(1, True, "The answer differs.", query="select 1")
    assert (caught.value.message, caught.value.expected, caught.value.seen) == (
        "The answer differs.",
        "true",
        "1",
    )
    assert caught.value.evidence == {"query": "select 1"}


def test_a_number_within_its_bound_passes() -> None:
    expect_at_most(8, 8, "never raised")


def test_a_number_over_its_bound_fails_with_the_unit() -> None:
    with pytest.raises(Failure) as caught:
        expect_at_most(1241, 8, "It reads too many blocks.", unit="blocks", plan="Seq Scan")
    assert (caught.value.expected, caught.value.seen) == ("at most 8 blocks", "1 241 blocks")
    assert caught.value.evidence == {"plan": "Seq Scan"}


def test_what_is_no_number_is_over_every_bound() -> None:
    with pytest.raises(Failure) as caught:
        expect_at_most(float("nan"), 2, "It grows.")
    assert (caught.value.expected, caught.value.seen) == ("at most 2", "nan")


def test_the_same_rows_pass() -> None:
    expect_rows([(2,), (1,)], [(1,), (2,)], "never raised", ordered=False)


def test_other_rows_fail_with_tables_and_what_is_missing_and_too_much() -> None:
    with pytest.raises(Failure) as caught:
        expect_rows(
            [(3, "c"), (1, "a")],
            [(1, "a"), (2, "b")],
            "The customers differ.",
            ordered=False,
            columns=("id", "name"),
            file="x.sql",
        )
    failure = caught.value
    assert failure.message == "The customers differ."
    assert failure.expected == "id | name\n1  | a\n2  | b"
    assert failure.seen == "id | name\n1  | a\n3  | c"
    assert failure.evidence == {
        "rows_expected": 2,
        "rows_seen": 2,
        "missing": ["(2, b)"],
        "too_many": ["(3, c)"],
        "file": "x.sql",
    }


def test_rows_out_of_order_fail_as_they_came_where_order_matters() -> None:
    with pytest.raises(Failure) as caught:
        expect_rows([(2,), (1,)], [(1,), (2,)], "Out of order.", ordered=True)
    assert (caught.value.expected, caught.value.seen) == ("1\n2", "2\n1")
    assert caught.value.evidence["missing"] == []
