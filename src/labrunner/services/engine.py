"""Asks a container engine two cheap questions without importing docker: is it there, has it this image."""

import http.client
import socket
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROBE_S = 1.0
_OK = 200


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answered. `url` is what DOCKER_HOST would say."""

    url: str


@dataclass(frozen=True, slots=True)
class EngineAbsence:
    """No engine answered; `probed` has one line for each place that was asked, with what it said."""

    probed: tuple[str, ...]


def find_engine(environ: Mapping[str, str]) -> Engine | EngineAbsence:
    """The first engine that answers a ping within a second, of those that this user may have."""
    probed: list[str] = []
    for url in _candidates(environ):
        problem = _problem(url)
        if problem is None:
            return Engine(url)
        probed.append(f"{url}: {problem}")
    return EngineAbsence(tuple(probed))


def has_image(engine: Engine, image: str) -> bool:
    """Whether the engine holds `image` already, so that starting it needs no network."""
    name = urllib.parse.quote(image, safe="/:@")
    try:
        return _get(engine.url, f"/images/{name}/json") == _OK
    except (OSError, http.client.HTTPException):
        return False


def _candidates(environ: Mapping[str, str]) -> tuple[str, ...]:
    if environ.get("DOCKER_HOST"):
        return (environ["DOCKER_HOST"],)
    home = Path(environ.get("HOME") or "/nonexistent")
    paths = [
        Path("/var/run/docker.sock"),
        home / ".docker/run/docker.sock",
        home / ".colima/default/docker.sock",
    ]
    if environ.get("XDG_RUNTIME_DIR"):
        paths.append(Path(environ["XDG_RUNTIME_DIR"]) / "docker.sock")
    first, *others = [f"unix://{path}" for path in paths]
    return (first, *(url for url in others if Path(url.removeprefix("unix://")).exists()))


def _problem(url: str) -> str | None:
    try:
        status = _get(url, "/_ping")
    except FileNotFoundError:
        return "there is no such socket"
    except PermissionError:
        return "this user has no right to it"
    except ConnectionRefusedError:
        return "nobody listens there"
    except TimeoutError:
        return f"no answer within {_PROBE_S:g} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    return None if status == _OK else f"it answered {status}"


def _get(url: str, path: str) -> int:
    connection = _connection(urllib.parse.urlsplit(url))
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(url: urllib.parse.SplitResult) -> http.client.HTTPConnection:
    if url.scheme == "unix":
        return _UnixConnection(url.path)
    if url.scheme in {"tcp", "http"} and url.hostname:
        return http.client.HTTPConnection(url.hostname, url.port or 2375, timeout=_PROBE_S)
    raise ValueError(f"only unix:// and tcp:// addresses can be probed, not {url.scheme}://")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_PROBE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
