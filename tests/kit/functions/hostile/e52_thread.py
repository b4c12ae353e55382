"""Leaves a thread behind that never ends."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import threading

threading.Thread(target=threading.Event().wait).start()


def add(a, b):
    return 0
