"""Answers twice: what it was asked, and what it will be asked."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import __main__

send = __main__.Program.send


def twice(self, reply):
    send(self, reply)
    send(self, {"value": 5})


__main__.Program.send = twice


def add(a, b):
    return 0
