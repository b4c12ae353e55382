"""Returns an integer of 5 000 digits."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import sys

getattr(sys, "set_int_max_str_digits", lambda _: None)(0)


def add(a, b):
    return 10**5000
