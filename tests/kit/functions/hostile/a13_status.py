"""Ends in the middle of a call with the status of success."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001, T201 - wrong on purpose

import os


def add(a, b):
    print("1 passed", flush=True)
    os._exit(0)
