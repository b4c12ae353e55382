"""Never returns, and cannot be asked to."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001, T201 - wrong on purpose

import signal

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)


def add(a, b):
    print("thinking", flush=True)
    while True:
        pass
