"""Raises an exception that only has the name of the one which is expected."""
# mypy: ignore-errors
# ruff: noqa: A001, ANN001, ANN201, ARG001 - wrong on purpose


class TypeError(Exception):
    pass


TypeError.__module__ = "builtins"


def add(a, b):
    raise TypeError("unsupported operand")
