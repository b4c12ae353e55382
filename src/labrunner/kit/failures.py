"""How a check says that it failed, or that it could not judge."""

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

from labrunner.kit import tables
from labrunner.kit.plan import Plan
from labrunner.kit.statements import Statement
from labrunner.kit.values import (
    EVIDENCE_BYTES,
    MESSAGE_BYTES,
    TEXT_BYTES,
    cut,
    grouped,
    pair,
    plain,
    same,
    shown,
)
from labrunner.model import Json


class Failure(AssertionError):  # noqa: N818 (its name is the outcome's)
    """The learner's work does not do what the check asks for.

    `message` says what was done; `expected` and `seen` are texts, whole up to 250 kB, or None; `evidence` is
    plain JSON data.
    """

    def __init__(
        self,
        message: str,
        *,
        expected: object = None,
        seen: object = None,
        evidence: Mapping[str, object] | None = None,
    ) -> None:
        self.message = cut(message, MESSAGE_BYTES)
        self.expected = _text(expected)
        self.seen = _text(seen)
        self.evidence = _evidence(evidence or {})
        super().__init__(self.message)


class NotJudged(Exception):  # noqa: N818 (its name is the outcome's)
    """Something that is not the learner's work keeps the check from judging; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def fail(
    message: str,
    *,
    expected: object = None,
    seen: object = None,
    evidence: Mapping[str, object] | None = None,
) -> NoReturn:
    """Fail the check. Plans and statements among the evidence are kept as their texts."""
    raise Failure(message, expected=expected, seen=seen, evidence=evidence)


def not_judged(message: str, remedy: str) -> NoReturn:
    """End the check without an outcome: this machine is to blame, and `remedy` says how to mend it."""
    raise NotJudged(message, remedy)


def expect_equal(seen: object, expected: object, message: str, **evidence: object) -> None:
    """Fail unless `seen` is `expected`, by type and by value: True is not 1 and 1 is not 1.0."""
    if not same(seen, expected):
        expected_text, seen_text = pair(expected, seen)
        raise Failure(message, expected=expected_text, seen=seen_text, evidence=evidence)


def expect_at_most(seen: float, bound: float, message: str, unit: str = "", **evidence: object) -> None:
    """Fail unless the number `seen` is at most `bound`; `unit` is the word after both: "blocks"."""
    if not seen <= bound:
        raise Failure(
            message,
            expected=f"at most {grouped(bound)} {unit}".rstrip(),
            seen=f"{grouped(seen)} {unit}".rstrip(),
            evidence=evidence,
        )


def expect_rows(
    seen_rows: Sequence[Sequence[object]],
    expected_rows: Sequence[Sequence[object]],
    message: str,
    *,
    ordered: bool,
    columns: Sequence[str] = (),
    **evidence: object,
) -> None:
    """Fail unless both hold the same rows by type and value, each as often, in the same order if `ordered`.

    The failure shows both as tables, sorted alike where the order does not matter, and up to ten rows each
    of what is missing and what is too much. `columns` are the tables' heads.
    """
    if tables.same_rows(expected_rows, seen_rows, ordered=ordered):
        return
    expected, seen = (tables.in_order(rows, ordered=ordered) for rows in (expected_rows, seen_rows))
    expected_text, seen_text = tables.table_pair(expected, seen, columns)
    counts = {
        "rows_expected": len(expected),
        "rows_seen": len(seen),
        "missing": [shown(row) for row in tables.without(expected, seen)[:10]],
        "too_many": [shown(row) for row in tables.without(seen, expected)[:10]],
    }
    raise Failure(message, expected=expected_text, seen=seen_text, evidence={**counts, **evidence})


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else shown(value)
    return cut(text.encode("utf-8", "backslashreplace").decode(), TEXT_BYTES)


def _evidence(evidence: Mapping[str, object]) -> dict[str, Json]:
    data = {name: plain(_readable(value)) for name, value in evidence.items()}
    text = json.dumps(data)
    return data if len(text) <= EVIDENCE_BYTES else {"cut": cut(text, EVIDENCE_BYTES // 2)}


def _readable(value: object) -> object:
    if isinstance(value, Plan):
        return value.tree()
    return value.text if isinstance(value, Statement) else value
