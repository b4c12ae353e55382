"""Exits, as if all were done."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import sys


def add(a, b):
    sys.exit(0)
