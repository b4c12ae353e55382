"""Sends a reply before it was asked for."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import gc
import os

import __main__


def add(a, b):
    program = next(one for one in gc.get_objects() if type(one) is __main__.Program)
    message = b'{"nonce":"0123456789abcdef","value":5}'
    os.write(program.descriptor, len(message).to_bytes(4, "big") + message)
    return 0
