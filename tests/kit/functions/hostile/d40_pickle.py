"""Returns an object that would make a folder where it is unpickled."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN204, ARG001, PTH102 - wrong on purpose

import os


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)

    def __getstate__(self):
        os.mkdir("exploded")


def add(a, b):
    return Bomb()
