"""The door for everybody else: leases of a lab's services for one grade run, whatever runs them."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from labrunner.errors import AuthoringError, MachineError
from labrunner.model import Endpoint, Parameter, ServiceSpec, ServiceUse
from labrunner.services import client, orphans, processes, registry
from labrunner.services.client import KeeperClient
from labrunner.services.engine import EngineAbsence, find_engine, has_image
from labrunner.services.keeping import keeping
from labrunner.services.places import Places, places
from labrunner.services.server import Progress, Seed, Service

BackendChoice = Literal["auto", "containers", "embedded", "external"]


class Broker:
    """Gives leases of the services that a lab names; each server is found or started when first asked for."""

    def __init__(
        self,
        specs: tuple[ServiceSpec, ...],
        backend: BackendChoice,
        environ: Mapping[str, str],
        progress: Progress,
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._backend = backend
        self._environ = environ
        self._progress = progress
        self._stack = contextlib.ExitStack()
        self._clients: dict[str, KeeperClient] = {}
        self._leases: dict[str, KeeperClient] = {}

    @property
    def uses(self) -> tuple[ServiceUse, ...]:
        """The services that were leased, with the backend that was chosen and the server's version."""
        return tuple(client.use for client in self._clients.values())

    def lease(self, service: str, parameters: Mapping[str, Parameter]) -> Endpoint:
        """A fresh lease; `parameters` replace the lab's own.

        Raises AuthoringError for a service or parameter that lab.toml does not name, or a seed with an error.
        """
        spec = self._specs.get(service)
        if spec is None:
            raise AuthoringError(
                f"the grader asked for a lease of {service}, which lab.toml does not name",
                hint=f"add [services.{service}] to lab.toml",
            )
        unknown = sorted(set(parameters) - set(spec.parameters))
        if unknown:
            raise AuthoringError(
                f"the grader set the parameter {unknown[0]!r} of {service}, which lab.toml does not name",
                hint=f"add it with its default to parameters in [services.{service}]",
            )
        keeper = self._client(service)
        endpoint = keeper.lease(_seed(spec, parameters), self._progress)
        self._leases[endpoint.lease] = keeper
        return endpoint

    def give_back(self, lease: str) -> None:
        """Return a lease early; an unknown one is nothing to return."""
        keeper = self._leases.pop(lease, None)
        if keeper is not None:
            keeper.give_back(lease)

    def shell(self, service: str) -> int:
        """Run the service's own client on a fresh lease, as the learner, until it ends; its exit status."""
        endpoint = self.lease(service, {})
        shell = registry.service(service).shell(endpoint, self._environ)
        return processes.attached(shell.argv, shell.environ)

    def close(self) -> None:
        """Give everything back."""
        self._stack.close()

    def _client(self, service: str) -> KeeperClient:
        if service not in self._clients:
            where = places(self._environ)
            orphans.sweep(where)
            opened = _open(registry.service(service), self._backend, where, self._environ, self._progress)
            self._stack.callback(opened.close)
            self._clients[service] = opened
        return self._clients[service]


@contextmanager
def broker(
    specs: tuple[ServiceSpec, ...], backend: BackendChoice, environ: Mapping[str, str], progress: Progress
) -> Iterator[Broker]:
    """A broker for one grade run; all its leases end with the block."""
    with contextlib.closing(Broker(specs, backend, environ, progress)) as opened:
        yield opened


def stop_all(environ: Mapping[str, str]) -> int:
    """End every warm server of this user, and what killed keepers left; returns how many were running."""
    where = places(environ)
    orphans.sweep(where)
    return sum(client.stop(keeping) for keeping in orphans.recorded(where))


def forget(environ: Mapping[str, str]) -> None:
    """Stop every server and remove labrunner's home with all it holds: it can be made again."""
    where = places(environ)
    stop_all(environ)
    shutil.rmtree(where.home)
    shutil.rmtree(where.run, ignore_errors=True)


def _open(
    service: Service, backend: BackendChoice, where: Places, environ: Mapping[str, str], progress: Progress
) -> KeeperClient:
    if backend in {"embedded", "external"}:
        return client.connected(keeping(service, backend, where, environ), progress)
    engine = find_engine(environ)
    if isinstance(engine, EngineAbsence):
        if backend == "containers":
            raise MachineError(
                "no container engine answered; probed: " + "; ".join(engine.probed),
                hint="start the engine, or use --backend embedded",
            )
        return _embedded(
            service, where, environ, progress, "no container engine answered: " + engine.probed[0]
        )
    in_container = keeping(service, "containers", where, {**environ, "DOCKER_HOST": engine.url})
    if backend == "containers":
        return client.connected(in_container, progress)
    local = keeping(service, "embedded", where, environ)
    image = service.container(environ, "").image
    if client.running(local) and not client.running(in_container) and not has_image(engine, image):
        # An earlier grade found that the image cannot be had, and started this server instead.
        return client.connected(local, progress)
    try:
        return client.connected(in_container, progress)
    except MachineError as error:
        progress(f"{error}; using an embedded server instead")
        return _embedded(service, where, environ, progress, str(error))


def _embedded(
    service: Service, where: Places, environ: Mapping[str, str], progress: Progress, why: str
) -> KeeperClient:
    try:
        return client.connected(keeping(service, "embedded", where, environ), progress)
    except MachineError as error:
        raise MachineError(f"{why}; and without containers: {error}", hint=error.hint) from error


def _seed(spec: ServiceSpec, parameters: Mapping[str, Parameter]) -> Seed:
    text = spec.seed.read_text(encoding="utf-8") if spec.seed else ""
    return Seed(text, str(spec.seed or ""), {**spec.parameters, **parameters})
