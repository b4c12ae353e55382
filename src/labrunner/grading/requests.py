"""The grader's side of the socket to its parent: it asks for leases, and holds no credentials of its own."""

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from labrunner.errors import LabrunnerError, MachineError
from labrunner.grading.deadline import Deadline
from labrunner.model import Endpoint, Parameter
from labrunner.services import Broker
from labrunner.services.client import endpoint_from_json, error_from_json


class RequestedLeases:
    """A source of leases that asks the parent for each one."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._lines = connection.makefile("rwb")
        self._deadline = deadline

    def lease(self, service: str, parameters: Mapping[str, Parameter]) -> Endpoint:
        """A fresh lease; raises what the parent met: AuthoringError or MachineError."""
        answer = self._ask({"request": "lease", "service": service, "parameters": dict(parameters)})
        return endpoint_from_json(cast("dict[str, object]", answer["endpoint"]))

    def give_back(self, lease: str) -> None:
        """Return a lease before the run ends."""
        self._ask({"request": "give_back", "lease": lease})

    def _ask(self, request: dict[str, object]) -> dict[str, object]:
        with self._deadline.paused():
            self._lines.write(json.dumps(request).encode() + b"\n")
            self._lines.flush()
            line = self._lines.readline()
        if not line:
            raise MachineError("the grade run was ended from outside")
        answer = json.loads(line)
        if "error" in answer:
            raise error_from_json(answer["error"])
        return cast("dict[str, object]", answer)


def answer(line: bytes, broker: Broker) -> bytes:
    """The parent's side: do what one request line asks and return the line to send back."""
    request = json.loads(line)
    try:
        if request["request"] == "lease":
            endpoint = broker.lease(request["service"], request["parameters"])
            said: dict[str, object] = {"endpoint": asdict(endpoint)}
        else:
            broker.give_back(request["lease"])
            said = {}
    except LabrunnerError as error:
        said = {"error": {"blame": error.blame, "message": str(error), "remedy": error.hint}}
    return json.dumps(said).encode() + b"\n"
