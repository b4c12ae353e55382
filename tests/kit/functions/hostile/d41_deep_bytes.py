"""Writes a value that is 100 000 deep, past the child's own limit."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001, ARG005, UP031 - wrong on purpose

import __main__

send = __main__.Program.send


def forged(self, reply):
    self.write = lambda data: '{"nonce":"%s","value":%s}' % (self.nonce, "[" * 100_000 + "]" * 100_000)
    send(self, reply)


def add(a, b):
    __main__.Program.send = forged
