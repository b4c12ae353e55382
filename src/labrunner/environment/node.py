"""Environments for Node, made by npm.

No package's install script is run, and packages come from the registry that this machine's user has set,
whatever addresses the lock holds.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from labrunner.environment import programs
from labrunner.environment.parts import Environment, Progress
from labrunner.environment.sources import Source, read
from labrunner.environment.store import Store, digest

_FORMAT = "node 1"
_PROBE = "node_modules"
_SYSTEM = Path("/usr")


def ensure(source: Source, store: Store, environ: Mapping[str, str], progress: Progress) -> Environment:
    """The environment of a source's locked packages, or one with none when it names no dependencies."""
    locked = read(source, "node")
    command = programs.of_node("node", environ)
    # Without install scripts nothing is made for one version of Node, only for a machine.
    machine = (_FORMAT, sys.platform, os.uname().machine)
    key = digest([*machine, locked.project, locked.lock_name, locked.lock])
    folder = store.find(key, _PROBE)
    if folder is None:
        # A known set should not pay for what makes a new one.
        from labrunner.environment import package_lock
        from labrunner.environment.npm import Installation

        project, lock = package_lock.normalised(source, locked)
        name = digest([*machine, json.dumps(lock, sort_keys=True)])
        task = Installation(project, lock, source, environ)
        folder = store.make(
            key, name, _PROBE, lambda staging, held: task.install(staging, held, progress), progress
        )
    home = Path(command).resolve().parents[1]
    reads = (folder,) if home.is_relative_to(_SYSTEM) else (folder, home)
    return Environment("node", folder, (command,), reads)
