"""Returns an object whose class raises at every question."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN204, ARG001, N804 - wrong on purpose


class Meta(type):
    def __getattribute__(self, name):
        raise TypeError("unsupported operand")


class Sum(metaclass=Meta):
    pass


def add(a, b):
    return Sum()
