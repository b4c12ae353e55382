"""The result of a grade run: read from the grader's events, and shown as data, JUnit XML and text.

A name is imported when it is first used: the console needs two small modules of this package at every
start, and the others only after a grade.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labrunner.report.document import schema, to_json, to_json_text
    from labrunner.report.junit import to_junit
    from labrunner.report.record import exit_status, read

_HOMES: Mapping[str, str] = {
    "exit_status": "record",
    "read": "record",
    "schema": "document",
    "to_json": "document",
    "to_json_text": "document",
    "to_junit": "junit",
}
__all__ = ["exit_status", "read", "schema", "to_json", "to_json_text", "to_junit"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
