"""Returns a list in lists, 100 000 deep."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose


def add(a, b):
    value = []
    for _ in range(100_000):
        value = [value]
    return value
