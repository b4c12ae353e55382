"""The Python that environments are made for, and uv, which makes them."""

import sys

from labrunner.errors import MachineError


def base() -> str:
    """The path of the interpreter that labrunner runs on, outside of all virtual environments."""
    return getattr(sys, "_base_executable", None) or sys.executable


def uv() -> str:
    """The path of uv; MachineError when it is not installed."""
    try:
        from uv import find_uv_bin  # only a set that is not known yet needs it

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        raise MachineError(
            "uv is missing, which installs a lab's packages", hint="install labrunner again: uv comes with it"
        ) from None
