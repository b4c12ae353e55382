"""The external backend: a server that somebody else runs, given by a URL in the environment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from labrunner.errors import MachineError
from labrunner.services.server import Server, Service


@contextmanager
def run(service: Service, environ: Mapping[str, str]) -> Iterator[Server]:
    """Yield the server that the service's URL variable names; it is neither started nor stopped.

    Raises MachineError when the variable is not set or nothing answers there.
    """
    url = environ.get(service.url_variable)
    if not url:
        raise MachineError(
            f"the external backend needs {service.url_variable}, which is not set",
            hint=f"set {service.url_variable} to the server's URL, or use another --backend",
        )
    server = service.external(url)
    version = service.probe(server)
    if version is None:
        raise MachineError(
            f"no {service.name} server answered at {server.host}:{server.port} ({service.url_variable})",
            hint="check that it runs, and that user and password are right",
        )
    yield replace(server, version=version)
