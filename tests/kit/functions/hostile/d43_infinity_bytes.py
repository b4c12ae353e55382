"""Writes a number that JSON cannot hold, past the child's own check."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001, ARG005, UP031 - wrong on purpose

import __main__

send = __main__.Program.send


def forged(self, reply):
    self.write = lambda data: '{"nonce":"%s","value":1e999}' % self.nonce
    send(self, reply)


def add(a, b):
    __main__.Program.send = forged
