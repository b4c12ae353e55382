"""Where labrunner keeps what it can make again: prepared data folders, running servers, their sockets."""

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrunner.errors import MachineError

_HOME_VARIABLE = "LABRUNNER_HOME"


@dataclass(frozen=True, slots=True)
class Places:
    """`prepared` holds data folders by version, `servers` one folder for each server, `run` their sockets."""

    home: Path
    run: Path

    @property
    def prepared(self) -> Path:
        return self.home / "prepared"

    @property
    def servers(self) -> Path:
        return self.home / "servers"


def places(environ: Mapping[str, str]) -> Places:
    """The folders of this user, made when missing.

    Raises MachineError when one cannot be made, or is another user's.
    """
    home = _home(environ).absolute()
    # A Unix socket's path may have about a hundred characters, so sockets live apart, in a short folder.
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:8]
    run = Path(tempfile.gettempdir()) / f"labrunner-{os.getuid()}-{digest}"
    for folder in (home, home / "prepared", home / "servers", run):
        _own_folder(folder)
    return Places(home=home, run=run)


def _home(environ: Mapping[str, str]) -> Path:
    if environ.get(_HOME_VARIABLE):
        return Path(environ[_HOME_VARIABLE])
    if os.getuid() == 0:
        # Postgres refuses to run as root, and the user it runs as cannot enter /root.
        return Path("/var/cache/labrunner")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "labrunner"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labrunner"


def _own_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise MachineError(
            f"{folder}: this folder is needed and cannot be made: {error.strerror}",
            hint=f"set {_HOME_VARIABLE} to a folder you may write to",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise MachineError(
            f"{folder}: expected a folder of your own, found one of user {found.st_uid} or no folder",
            hint="remove it, or set TMPDIR to a folder of your own",
        )
