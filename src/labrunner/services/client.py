"""A client of keepers: finds a warm server in milliseconds, or has one started."""

import contextlib
import json
import socket
from collections.abc import Mapping
from typing import cast

from labrunner.errors import AuthoringError, LabrunnerError, MachineError, UsageError
from labrunner.model import BackendName, Credentials, Endpoint, ServiceUse
from labrunner.services import processes
from labrunner.services.keeping import Keeping
from labrunner.services.locks import locked, try_locked
from labrunner.services.server import Progress, Seed
from labrunner.waiting import poll

_HELLO_S = 5.0
_ENDING_S = 60.0


class KeeperClient:
    """One connection to a keeper. The leases got through it end with it."""

    def __init__(self, connection: socket.socket, use: ServiceUse) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self.use = use

    def lease(self, seed: Seed, progress: Progress) -> Endpoint:
        """A lease that starts from `seed`; raises what the keeper says, in this process's own errors."""
        answer = self._ask(
            {
                "request": "lease",
                "text": seed.text,
                "source": seed.source,
                "parameters": dict(seed.parameters),
            },
            progress,
        )
        return endpoint_from_json(cast("dict[str, object]", answer["endpoint"]))

    def give_back(self, lease: str) -> None:
        """Return a lease before the connection ends."""
        self._ask({"request": "give_back", "lease": lease}, lambda _: None)

    def stop(self) -> None:
        """Have the keeper end its server and itself at once, whoever else holds leases."""
        self._ask({"request": "stop"}, lambda _: None)

    def close(self) -> None:
        """End the connection, and with it every lease."""
        self._lines.close()
        self._connection.close()

    def _ask(self, request: dict[str, object], progress: Progress) -> dict[str, object]:
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
            while line := self._lines.readline():
                answer = json.loads(line)
                if "error" in answer:
                    raise error_from_json(answer["error"])
                if "progress" not in answer:
                    return cast("dict[str, object]", answer)
                progress(str(answer["progress"]))
        except OSError as error:
            raise _gone(self.use) from error
        raise _gone(self.use)


def connected(keeping: Keeping, progress: Progress) -> KeeperClient:
    """A connection to the keeper of that server, which is started when none runs; the caller closes it.

    Raises MachineError with the reason when it cannot be started.
    """
    return _client(keeping) or _started(keeping, progress)


def running(keeping: Keeping) -> bool:
    """Whether a keeper of that server is at work."""
    with try_locked(keeping.folder / "keeper.lock") as free:
        return not free


def stop(keeping: Keeping) -> bool:
    """End a keeper and its server, waiting until both are gone; False when none was running.

    One that is still starting is waited for: its server is to be ended as well.
    """
    if not running(keeping):
        return False
    client = poll(lambda: _client(keeping) or not running(keeping), timeout_s=_ENDING_S)
    if isinstance(client, KeeperClient):
        # It may be on its way out already, and then has no answer.
        with contextlib.closing(client), contextlib.suppress(MachineError):
            client.stop()
    return bool(poll(lambda: not running(keeping), timeout_s=_ENDING_S))


def endpoint_from_json(found: Mapping[str, object]) -> Endpoint:
    """The inverse of `dataclasses.asdict` for an Endpoint."""
    plain = dict(found)
    for role in ("learner", "observer"):
        plain[role] = Credentials(**cast("dict[str, str]", plain[role]))
    return Endpoint(**plain)  # type: ignore[arg-type]


def error_from_json(found: Mapping[str, str]) -> LabrunnerError:
    """The error that another of our processes met."""
    kind = {"lab": AuthoringError, "usage": UsageError}.get(found["blame"], MachineError)
    return kind(found["message"], hint=found["remedy"])


def _client(keeping: Keeping) -> KeeperClient | None:
    """A connection to a keeper that says hello, or None: a socket file alone proves nothing."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_HELLO_S)
        connection.connect(str(keeping.socket))
        with connection.makefile("rb") as lines:
            # The keeper says one line and then waits for ours, so nothing of a later answer is buffered here.
            hello = json.loads(lines.readline() or b"{}").get("hello")
        if hello:
            connection.settimeout(None)
            backend = cast("BackendName", hello["backend"])
            return KeeperClient(connection, ServiceUse(hello["service"], backend, hello["version"]))
    except (OSError, ValueError):
        pass
    connection.close()
    return None


def _started(keeping: Keeping, progress: Progress) -> KeeperClient:
    with locked(keeping.folder / "start.lock"):
        client = _client(keeping)
        if client is not None:
            return client
        # A keeper on its way out takes no clients; its server must be gone before the next one starts.
        if running(keeping):
            poll(lambda: not running(keeping), timeout_s=_ENDING_S)
        with contextlib.closing(
            processes.launch("labrunner.services.keeper", keeping.to_json(), keeping.folder / "keeper.log")
        ) as lines:
            for line in lines:
                said = json.loads(line)
                if "error" in said:
                    raise error_from_json(said["error"])
                if "ready" in said:
                    break
                progress(said["progress"])
        client = _client(keeping)
    if client is None:
        log = keeping.folder / "keeper.log"
        words = processes.last_lines(log.read_text(encoding="utf-8", errors="replace"))
        raise MachineError(
            f"the keeper of {keeping.folder.name} ended before it was ready; its last lines:\n{words}",
            hint="run the command again; if it stays so, please report it with these lines",
        )
    return client


def _gone(use: ServiceUse) -> MachineError:
    return MachineError(
        f"the {use.name} server ({use.backend}) went away",
        hint="run the command again: a new server is started when the old one is gone",
    )
