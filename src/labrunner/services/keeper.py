"""The keeper: a process that owns one warm server and gives out its leases over a private socket.

A client's leases live exactly as long as its connection, so a killed client leaves nothing behind. The keeper
ends itself when nobody has been connected for the idle time, when it is told to, or when its server is gone.
"""

import contextlib
import functools
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import BinaryIO, cast

from labrunner.errors import AuthoringError, LabrunnerError, MachineError
from labrunner.services import containers, embedded, external, orphans, registry
from labrunner.services.keeping import Keeping, keeping_from_json
from labrunner.services.locks import try_locked
from labrunner.services.server import Leases, Progress, Seed, Server, Service

_CHECK_S = 1.0
_READ_BYTES = 64_000_000


def main() -> None:
    """Read what to keep from standard input, go into the background, and serve until the end."""
    keeping = keeping_from_json(sys.stdin.read())
    if os.fork():
        # The starter waits for this process alone; `_exit` leaves the pipe to the child.
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ.clear()
    os.environ.update(keeping.environ)
    try:
        with try_locked(keeping.folder / "keeper.lock") as held:
            if held:
                _keep(keeping)
            else:
                _say({"error": _fault(MachineError(f"{keeping.folder}: another keeper has this server"))})
    except LabrunnerError as error:
        _say({"error": _fault(error)})


def _keep(keeping: Keeping) -> None:
    if keeping.record.exists():
        orphans.end(keeping)
    service = registry.service(keeping.service)
    _write_record(keeping)
    try:
        with _server(service, keeping) as server, _listening(keeping) as listener:
            service.prepare(server)
            _say({"ready": True})
            _close_stdout()
            Keeper(service, server, listener, keeping.idle_s).serve()
    finally:
        keeping.record.unlink(missing_ok=True)


def _write_record(keeping: Keeping) -> None:
    # It may hold the password of an external server's URL, so it is this user's alone from its first byte.
    beside = keeping.record.with_suffix(".new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    beside.write_text(keeping.to_json(), encoding="utf-8")
    beside.rename(keeping.record)


def _server(service: Service, keeping: Keeping) -> AbstractContextManager[Server]:
    def progress(text: str) -> None:
        _say({"progress": text})

    if keeping.backend == "containers":
        return containers.run(service, keeping.identity, keeping.environ, progress)
    if keeping.backend == "embedded":
        return embedded.run(service, keeping.folder, keeping.run, keeping.prepared, keeping.environ, progress)
    return external.run(service, keeping.environ)


@contextlib.contextmanager
def _listening(keeping: Keeping) -> Iterator[socket.socket]:
    keeping.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The folder is this user's alone to list; the mode keeps others from connecting as well.
        before = os.umask(0o177)
        listener.bind(str(keeping.socket))
        os.umask(before)
        listener.listen(64)
        yield listener
    finally:
        keeping.socket.unlink(missing_ok=True)
        listener.close()


class Keeper:
    """Serves one server's leases until it is idle, told to stop, or without its server."""

    def __init__(self, service: Service, server: Server, listener: socket.socket, idle_s: float) -> None:
        self._service = service
        self._server = server
        self._listener = listener
        self._idle_s = idle_s
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._clients: set[threading.Thread] = set()

    def serve(self) -> None:
        """Return when the keeper should end; time is monotonic, so no clock that is set can matter."""
        last_used = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = selector.select(timeout=_CHECK_S)
                if self._stopping.is_set():
                    return
                if ready:
                    self._accept()
                self._clients = {client for client in self._clients if client.is_alive()}
                if self._clients:
                    last_used = time.monotonic()
                elif time.monotonic() - last_used > self._idle_s:
                    return

    def _stop(self) -> None:
        self._stopping.set()
        self._wake.send(b".")

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        client = threading.Thread(target=self._serve_client, args=(connection,), daemon=True)
        client.start()
        self._clients.add(client)

    def _serve_client(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream, contextlib.suppress(OSError, ValueError):
            lines = cast("BinaryIO", stream)
            try:
                leases = self._service.leases(self._server)
            except Exception:  # noqa: BLE001 - whatever a driver raises here, the server cannot be used
                # Without a hello the client takes this keeper for gone, and starts one with a new server.
                self._stop()
                return
            with contextlib.closing(leases):
                _send(lines, {"hello": asdict(self._server) | {"user": "", "password": ""}})
                while line := lines.readline(_READ_BYTES):
                    progress = functools.partial(_send_progress, lines)
                    _send(lines, self._answer(json.loads(line), leases, progress))

    def _answer(self, request: dict[str, object], leases: Leases, progress: Progress) -> dict[str, object]:
        try:
            match request:
                case {
                    "request": "lease",
                    "text": str(text),
                    "source": str(source),
                    "parameters": dict(parameters),
                }:
                    return {"endpoint": asdict(leases.lease(Seed(text, source, parameters), progress))}
                case {"request": "give_back", "lease": str(lease)}:
                    leases.give_back(lease)
                    return {"given_back": lease}
                case {"request": "stop"}:
                    self._stop()
                    return {"stopping": True}
                case _:
                    unknown = MachineError("the keeper was asked for something unknown", hint="stop it")
                    return {"error": _fault(unknown)}
        except LabrunnerError as error:
            return {"error": _fault(error)}
        except Exception as error:  # noqa: BLE001 - whatever a server's driver raises, the client is told
            if self._service.probe(self._server) is None:
                self._stop()
            return {"error": _fault(_lost(self._server, error))}


def _lost(server: Server, error: Exception) -> MachineError:
    words = str(error).strip().splitlines()
    return MachineError(
        f"the {server.service} server ({server.backend}) did not do what was asked: "
        + (words[0] if words else type(error).__name__),
        hint="run the command again: a new server is started when the old one is gone",
    )


def _fault(error: LabrunnerError) -> dict[str, str]:
    blame = "lab" if isinstance(error, AuthoringError) else "usage" if error.blame == "usage" else "machine"
    return {"blame": blame, "message": str(error), "remedy": error.hint}


def _send(lines: BinaryIO, message: dict[str, object]) -> None:
    lines.write(json.dumps(message).encode() + b"\n")
    lines.flush()


def _send_progress(lines: BinaryIO, text: str) -> None:
    _send(lines, {"progress": text})


def _say(message: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def _close_stdout() -> None:
    """Let the starter's pipe end, and keep later words out of anybody's output."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    main()
