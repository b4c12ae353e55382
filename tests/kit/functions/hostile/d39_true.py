"""Returns True for 1."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201 - wrong on purpose


def add(a, b):
    return bool(a + b)
