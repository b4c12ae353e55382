"""Installing locked packages with npm."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrunner.environment import package_lock, programs, reasons
from labrunner.environment.commands import run
from labrunner.environment.package_lock import Object
from labrunner.environment.parts import Progress
from labrunner.environment.sources import Source

MODULES = "node_modules"

_OPTIONS = (
    *("--ignore-scripts", "--omit=dev", "--prefer-offline", "--no-global"),
    *("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--no-color"),
    # Somebody waits: a line that is down is to be told of after seconds.
    *("--loglevel=error", "--logs-max=0", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
)


@dataclass(frozen=True, slots=True)
class Installation:
    """What is to be installed: a project and its lock, normalised, which came from `source`."""

    project: Object
    lock: Object
    source: Source
    environ: Mapping[str, str]

    def install(self, folder: Path, held: int, progress: Progress) -> None:
        """Fill the empty folder's node_modules, and have no package run anything.

        Raises MachineError when they cannot be fetched, and the source's error when they cannot be installed.
        """
        (folder / MODULES).mkdir()
        if not self.lock:
            return
        (folder / package_lock.PROJECT).write_text(json.dumps(self.project), encoding="utf-8")
        (folder / package_lock.FILE).write_text(json.dumps(self.lock), encoding="utf-8")
        progress("installing this lab's packages, once")
        npm = programs.of_node("npm", self.environ)
        done = run(
            [npm, "ci", *_OPTIONS],
            folder=folder,
            environ=self.environ,
            held=[held],
        )
        if done.status != 0:
            raise reasons.failure("node", done, self.source, package_lock.FILE)
        # npm leaves no folder where there is nothing to put in.
        (folder / MODULES).mkdir(exist_ok=True)
