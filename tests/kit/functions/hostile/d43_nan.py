"""Returns what compares with nothing."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose


def add(a, b):
    return float("nan")
