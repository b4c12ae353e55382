"""Is killed as the system kills what takes too much."""
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ARG001 - wrong on purpose

import os
import signal


def add(a, b):
    os.kill(os.getpid(), signal.SIGKILL)
