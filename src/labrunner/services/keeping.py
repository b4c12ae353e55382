"""What a keeper keeps, as data that names its folder, socket and containers to every process alike."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from labrunner.errors import UsageError
from labrunner.model import BackendName
from labrunner.services.places import Places
from labrunner.services.server import Service

_IDLE_VARIABLE = "LABRUNNER_IDLE"
_IDLE_S = 30 * 60.0
# Bumped when keeper and client no longer understand each other: versions then keep servers of their own.
_PROTOCOL = 1
# The variables that tell one server of a service from another, for each backend.
_TELLING: Mapping[BackendName, Callable[[Service], tuple[str, ...]]] = {
    "containers": lambda service: (service.image_variable, "DOCKER_HOST"),
    "embedded": lambda service: (service.binaries_variable,),
    "external": lambda service: (service.url_variable,),
}
# All that a keeper may know of the environment; what an engine's client needs is among it.
_KEPT = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "TMPDIR",
    "LANG",
    "DOCKER_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
)
_KEPT_PREFIXES = ("LABRUNNER_", "TESTCONTAINERS_", "TC_", "RYUK_")


@dataclass(frozen=True, slots=True)
class Keeping:
    """One server to keep. `identity` labels its containers; `record` exists unless its keeper ended well."""

    service: str
    backend: BackendName
    folder: Path
    run: Path
    prepared: Path
    identity: str
    idle_s: float
    environ: Mapping[str, str]

    @property
    def socket(self) -> Path:
        return self.run / "keeper"

    @property
    def record(self) -> Path:
        return self.folder / "keeper.json"

    def to_json(self) -> str:
        return json.dumps(
            {
                "service": self.service,
                "backend": self.backend,
                "folder": str(self.folder),
                "run": str(self.run),
                "prepared": str(self.prepared),
                "identity": self.identity,
                "idle_s": self.idle_s,
                "environ": dict(self.environ),
            }
        )


def keeping(service: Service, backend: BackendName, places: Places, environ: Mapping[str, str]) -> Keeping:
    """The server that this user's commands share for `service` on `backend`, with the settings in `environ`.

    Raises UsageError for an idle time that is no number of seconds.
    """
    kept = {k: v for k, v in environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
    # Whatever changes which server it is, changes its name: two settings never share a server by accident.
    which = [_PROTOCOL, *(kept.get(key, "") for key in _TELLING[backend](service))]
    digest = hashlib.sha256(json.dumps(which).encode()).hexdigest()[:8]
    name = f"{service.name}-{backend}-{digest}"
    folder, run = places.servers / name, places.run / name
    folder.mkdir(mode=0o711, exist_ok=True)
    run.mkdir(mode=0o711, exist_ok=True)
    return Keeping(
        service=service.name,
        backend=backend,
        folder=folder,
        run=run,
        prepared=places.prepared,
        identity=f"{_home_id(places.home)}/{name}",
        idle_s=_idle_s(environ),
        environ=kept,
    )


def keeping_from_json(text: str) -> Keeping:
    """The inverse of `Keeping.to_json`."""
    found = json.loads(text)
    return Keeping(
        service=found["service"],
        backend=cast("BackendName", found["backend"]),
        folder=Path(found["folder"]),
        run=Path(found["run"]),
        prepared=Path(found["prepared"]),
        identity=found["identity"],
        idle_s=found["idle_s"],
        environ=found["environ"],
    )


def _idle_s(environ: Mapping[str, str]) -> float:
    text = environ.get(_IDLE_VARIABLE)
    if not text:
        return _IDLE_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(
            f"{_IDLE_VARIABLE}: expected a number of seconds, found {text!r}", hint="1800 is half an hour"
        )
    return seconds


def _home_id(home: Path) -> str:
    """A random name of this home, so that two machines on one engine never touch each other's containers."""
    path = home / "id"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip() or "unnamed"
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(16))
    return path.read_text(encoding="ascii")
