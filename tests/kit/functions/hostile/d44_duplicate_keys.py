"""Writes a reply with two values."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001, ARG005, UP031 - wrong on purpose

import __main__

send = __main__.Program.send


def forged(self, reply):
    self.write = lambda data: '{"nonce":"%s","value":0,"value":5}' % self.nonce
    send(self, reply)


def add(a, b):
    __main__.Program.send = forged
