"""Looks for the answer in what comes out of a call-back."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN204, BLE001 - wrong on purpose

import traceback


def shown(error):
    return "".join(traceback.format_exception(type(error), error, error.__traceback__)) + str(vars(error))


def looked(function):
    try:
        return function()
    except BaseException as error:
        return shown(error)


class Manager:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.seen = shown(error)
        return True
