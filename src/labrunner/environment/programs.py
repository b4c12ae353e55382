"""The programs that environments are for, and those that make them."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

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


def of_node(name: str, environ: Mapping[str, str]) -> str:
    """The path of node or npm; MachineError when it is not installed."""
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    if found is None:
        raise MachineError(
            f"{name} is not installed, and this lab's program is written for Node",
            hint="install Node 20 or newer, with npm",
        )
    return str(Path(found).absolute())
