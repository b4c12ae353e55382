"""Answers the next request before it comes, with a nonce that was used."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import gc
import threading

import __main__


def flood(program):
    while True:
        program.send({"value": 5})


def add(a, b):
    program = next(one for one in gc.get_objects() if type(one) is __main__.Program)
    threading.Thread(target=flood, args=(program,), daemon=True).start()
    return 0
