import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import psycopg
import pytest

from labrunner.model import Credentials, Endpoint, Parameter, ServiceSpec
from labrunner.services import BackendChoice, Broker, broker

SEED = """create table goods (id int primary key, name text not null);
insert into goods
    select i, 'item ' || i from generate_series(1, current_setting('labrunner.rows')::int) as i;
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def open_broker(tmp_path: Path, said: list[str]) -> Callable[..., AbstractContextManager[Broker]]:
    """Opens a broker on a small shop of goods: open_broker(environ, backend, seed=…)."""

    def opened(environ: dict[str, str], backend: str, seed: str = SEED) -> AbstractContextManager[Broker]:
        # A folder for each content: tests open several brokers at once.
        path = tmp_path / hashlib.sha256(seed.encode()).hexdigest()[:8] / "seed.sql"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.with_name(f"seed-{threading.get_ident()}").write_text(seed, encoding="utf-8")
            path.with_name(f"seed-{threading.get_ident()}").rename(path)
        specs = (ServiceSpec("postgres", path, {"rows": 100}),)
        return broker(specs, cast("BackendChoice", backend), environ, said.append)

    return opened


@pytest.fixture
def shop(
    open_broker: Callable[..., AbstractContextManager[Broker]], home: dict[str, str], backend: str
) -> Iterator[Broker]:
    """A broker on the shared home, on each backend."""
    with open_broker(home, backend) as opened:
        yield opened


@pytest.fixture
def lease(shop: Broker) -> Callable[..., Endpoint]:
    def make(**parameters: Parameter) -> Endpoint:
        return shop.lease("postgres", parameters)

    return make


@pytest.fixture
def enter() -> Iterator[Callable[..., psycopg.Connection]]:
    """Opens a session on a lease as one of its roles; closed with the test."""
    opened: list[psycopg.Connection] = []

    def make(endpoint: Endpoint, role: Credentials, database: str | None = None) -> psycopg.Connection:
        connection = psycopg.connect(
            host=endpoint.host,
            port=endpoint.port,
            user=role.user,
            password=role.password,
            dbname=database or endpoint.name,
            autocommit=True,
        )
        opened.append(connection)
        return connection

    yield make
    for connection in opened:
        connection.close()
