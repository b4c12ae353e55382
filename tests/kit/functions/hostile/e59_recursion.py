"""Calls itself without an end."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201 - wrong on purpose


def add(a, b):
    return add(a, b)
