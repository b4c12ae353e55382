"""What services and backends tell each other, as plain data, and the two protocols they keep."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from labrunner.model import BackendName, Endpoint, Parameter

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and its administrator's credentials. `host` may be a folder with a Unix socket."""

    service: str
    backend: BackendName
    version: str
    host: str
    port: int
    user: str
    password: str
    database: str


@dataclass(frozen=True, slots=True)
class ContainerRecipe:
    """How a service runs in a container: its image, its port inside, its environment and arguments."""

    image: str
    port: int
    environment: Mapping[str, str]
    command: tuple[str, ...]
    shm_bytes: int


@dataclass(frozen=True, slots=True)
class LocalRecipe:
    """How a service runs as a local process.

    Its programs are in `programs`, a folder below one of `trees`, which work wherever they are copied to.
    `prepare` makes the data folder once for each machine and version, `start` serves a copy of it; in both,
    {programs}, {data}, {run} and {password_file} stand for a path. `stop_signal` asks for a quick end.
    """

    version: str
    programs: Path
    trees: tuple[Path, ...]
    prepare: tuple[str, ...]
    start: tuple[str, ...]
    port: int
    stop_signal: int
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seed:
    """What a lease starts from: text in the service's own language, where it stands, its parameters."""

    text: str
    source: str
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class Shell:
    """A service's own client program, ready to be run on a lease as the learner."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]


class Leases(Protocol):
    """The leases of one server that one client of the keeper holds."""

    def lease(self, seed: Seed, progress: Progress) -> Endpoint: ...

    def give_back(self, lease: str) -> None: ...

    def close(self) -> None: ...


class Service(Protocol):
    """What is a service's own. A new service is one file that has these, and its row in `services.known`."""

    name: str
    image_variable: str
    binaries_variable: str
    url_variable: str

    def container(self, environ: Mapping[str, str], password: str) -> ContainerRecipe: ...

    def local(self, environ: Mapping[str, str]) -> LocalRecipe: ...

    def external(self, url: str) -> Server: ...

    def probe(self, server: Server) -> str | None:
        """The server's version when it answers, else None."""

    def prepare(self, server: Server) -> None:
        """Make a fresh or used server ready for leases, and end what a killed run left on it."""

    def leases(self, server: Server) -> Leases: ...

    def shell(self, endpoint: Endpoint, environ: Mapping[str, str]) -> Shell: ...


class Backend(Protocol):
    """What is a backend's own: it runs one server for as long as its `with` block lasts."""

    def __call__(
        self, service: Service, folder: Path, environ: Mapping[str, str], progress: Progress
    ) -> AbstractContextManager[Server]: ...
