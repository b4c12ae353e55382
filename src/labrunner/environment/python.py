"""Environments for Python, made by uv.

`uv pip sync` installs what is locked and looks at no project: nothing of a learner's is built or installed.
A lock of uv's is first exported to lines without addresses, so packages come from the indexes that this
machine's user has set, whatever the lock says. Only wheels are installed, and no Python is started in an
environment that holds them, because a package could have code run at every start.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from labrunner.environment import programs
from labrunner.environment.parts import Environment, Progress
from labrunner.environment.sources import Source, read
from labrunner.environment.store import Store, digest

_FORMAT = "python 1"
_PROBE = "bin/python"


def ensure(source: Source, store: Store, environ: Mapping[str, str], progress: Progress) -> Environment:
    """The environment of a source's locked packages, or one with none when it names no dependencies."""
    locked = read(source, "python")
    # Where the interpreter is, what it is, and for which machine: an environment fits no other.
    machine = (_FORMAT, programs.base(), sys.version, sys.platform, os.uname().machine)
    key = digest([*machine, locked.project, locked.lock_name, locked.lock])
    folder = store.find(key, _PROBE)
    if folder is None:
        # A known set should not pay for what makes a new one.
        from labrunner.environment import pyproject
        from labrunner.environment.wheels import Installation, install

        lines = pyproject.locked_lines(source, locked, environ)
        wanted = Installation(lines, source, locked.lock_name or pyproject.FILE, environ)
        folder = store.make(
            key,
            digest([*machine, *lines]),
            _PROBE,
            lambda staging, lock: install(wanted, staging, lock, progress),
            progress,
        )
    bases = dict.fromkeys([Path(sys.base_prefix), Path(sys.base_exec_prefix)])
    return Environment("python", folder, (str(folder / _PROBE),), (folder, *bases))
