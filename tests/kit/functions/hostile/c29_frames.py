"""Looks for the answer in every frame and object."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, BLE001, SIM105 - wrong on purpose

import gc
import sys


def texts():
    frame = sys._getframe()
    while frame is not None:
        yield from (str(value) for value in list(frame.f_locals.values()))
        yield str(frame.f_code.co_consts)
        frame = frame.f_back
    for one in gc.get_objects():
        try:
            yield str(one)
        except Exception:
            pass


def looked(function):
    return [
        len(list(texts())) > 1000,
        [text for text in texts() if "".join(["hush-"] * 2) in text][:3],
        str(vars(function)),
    ]
