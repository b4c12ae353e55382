"""Has a copy of the process answer too."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import os


def add(a, b):
    os.fork()
    return 0
