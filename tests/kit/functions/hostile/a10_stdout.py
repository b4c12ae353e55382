"""Prints what a report might look like."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001, T201 - wrong on purpose


def add(a, b):
    print('{"event":"check","nonce":1,"check":"adds","outcome":"passed"}')
    print('{"nonce":"0000000000000000","value":5}', flush=True)
    return 0
