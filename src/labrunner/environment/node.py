"""Environments for Node, made by npm.

No package's install script is run, and packages come from the registry that this machine's user has set,
whatever addresses the lock holds.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrunner.environment import package_lock, reasons
from labrunner.environment.commands import run
from labrunner.environment.package_lock import Object
from labrunner.environment.parts import Environment, Progress
from labrunner.environment.sources import Source, read
from labrunner.environment.store import Store, digest
from labrunner.errors import MachineError

_FORMAT = "node 1"
_PROBE = "node_modules"
_SYSTEM = Path("/usr")


def ensure(source: Source, store: Store, environ: Mapping[str, str], progress: Progress) -> Environment:
    """The environment of a source's locked packages, or one with none when it names no dependencies."""
    locked = read(source, "node")
    command = _program("node", environ)
    # Without install scripts nothing is made for one version of Node, only for a machine.
    machine = (_FORMAT, sys.platform, os.uname().machine)
    key = digest([*machine, locked.project, locked.lock_name, locked.lock])
    folder = store.find(key, _PROBE)
    if folder is None:
        project, lock = package_lock.normalised(source, locked)
        name = digest([*machine, json.dumps(lock, sort_keys=True)])
        task = _Task(project, lock, source, environ)
        folder = store.make(
            key, name, _PROBE, lambda staging, held: task.install(staging, held, progress), progress
        )
    home = Path(command).resolve().parents[1]
    reads = (folder,) if home.is_relative_to(_SYSTEM) else (folder, home)
    return Environment("node", folder, (command,), reads)


@dataclass(frozen=True, slots=True)
class _Task:
    project: Object
    lock: Object
    source: Source
    environ: Mapping[str, str]

    def install(self, folder: Path, held: int, progress: Progress) -> None:
        (folder / _PROBE).mkdir()
        if not self.lock:
            return
        (folder / package_lock.PROJECT).write_text(json.dumps(self.project), encoding="utf-8")
        (folder / package_lock.FILE).write_text(json.dumps(self.lock), encoding="utf-8")
        progress("installing this lab's packages, once")
        done = run(
            [
                *(_program("npm", self.environ), "ci", "--ignore-scripts", "--omit=dev", "--prefer-offline"),
                *("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--no-color"),
                *("--no-global", "--loglevel=error", "--logs-max=0", "--fetch-retries=1"),
                "--fetch-retry-mintimeout=1000",
            ],
            folder=folder,
            environ=self.environ,
            held=[held],
        )
        if done.status != 0:
            raise reasons.failure("node", done, self.source, package_lock.FILE)
        # npm leaves no folder where there is nothing to put in.
        (folder / _PROBE).mkdir(exist_ok=True)


def _program(name: str, environ: Mapping[str, str]) -> str:
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    if found is None:
        raise MachineError(
            f"{name} is not installed, and this lab's program is written for Node",
            hint="install Node 20 or newer, with npm",
        )
    return str(Path(found).absolute())
