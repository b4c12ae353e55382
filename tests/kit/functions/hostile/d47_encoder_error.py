"""Returns a value that raises the expected exception only when it is looked at."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN204, ARG001 - wrong on purpose

from dataclasses import dataclass


@dataclass
class Sum:
    value: int

    def __getattribute__(self, name):
        raise TypeError("unsupported operand")


def add(a, b):
    return Sum(1)
