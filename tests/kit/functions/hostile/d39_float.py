"""Returns a float for an integer."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201 - wrong on purpose


def add(a, b):
    return float(a + b)
