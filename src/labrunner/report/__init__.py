"""The result of a grade run: read from the grader's events, and shown as data, JUnit XML and text."""

from labrunner.report.document import schema, to_json, to_json_text
from labrunner.report.junit import to_junit
from labrunner.report.record import exit_status, read

__all__ = ["exit_status", "read", "schema", "to_json", "to_json_text", "to_junit"]
