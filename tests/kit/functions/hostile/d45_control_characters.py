"""Returns, and raises, text that a terminal would obey."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose


def add(a, b):
    return "\ud800\0\x1b[2J\u202e" + "5"


def fail():
    raise ValueError("\ud800\0\x1b[2J\u202e")
