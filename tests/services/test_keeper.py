"""Warm servers: found, shared, ended, and never left behind by whatever is killed."""

import contextlib
import functools
import json
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import psycopg
import pytest

from labrunner.errors import MachineError, UsageError
from labrunner.model import Endpoint
from labrunner.services import Broker, client, containers, orphans, registry, stop_all
from labrunner.services.keeping import Keeping, keeping
from labrunner.services.places import places
from labrunner.services.server import Seed
from labrunner.waiting import poll

Environ = dict[str, str]
OpenBroker = Callable[..., AbstractContextManager[Broker]]


def kept(environ: Environ, backend: str) -> Keeping:
    (found,) = [each for each in orphans.recorded(places(environ)) if each.backend == backend]
    return found


def keeper_process(keeping: Keeping) -> psutil.Process:
    """The process that has the keeper's socket open, found from outside."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if "labrunner.services.keeper" in command and holds(process, keeping.folder / "keeper.lock"):
                return process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    raise AssertionError("no keeper process was found")


def holds(process: psutil.Process, lock: Path) -> bool:
    return any(descriptor.samefile(lock) for descriptor in Path(f"/proc/{process.pid}/fd").iterdir())


def leftovers(environ: Environ, backend: str) -> list[str]:
    """Whatever of a server is still there: processes, data, sockets, containers."""
    where = places(environ)
    found = [str(path) for path in where.servers.glob("*/data")]
    found += [str(path) for path in where.run.glob("*/s")]
    found += [
        str(process.pid)
        for process in psutil.process_iter(["cmdline"])
        if any(str(where.servers) in word for word in process.info["cmdline"] or [])
    ]
    if backend == "containers":
        import docker

        engine = docker.from_env()
        home = (where.home / "id").read_text()
        found += [
            str(container.name)
            for container in engine.containers.list(all=True)
            if container.labels.get("labrunner.server", "").startswith(home)
        ]
        engine.close()
    return found


def works(open_broker: OpenBroker, environ: Environ, backend: str) -> Endpoint:
    with open_broker(environ, backend) as shop:
        endpoint = shop.lease("postgres", {})
        with psycopg.connect(
            host=endpoint.host,
            port=endpoint.port,
            dbname=endpoint.name,
            user=endpoint.learner.user,
            password=endpoint.learner.password,
        ) as session:
            assert session.execute("select count(*) from goods").fetchone() == (100,)
        return endpoint


def test_a_second_grade_finds_the_warm_server(
    open_broker: OpenBroker, home: Environ, backend: str, said: list[str]
) -> None:
    first = works(open_broker, home, backend)
    said.clear()
    second = works(open_broker, home, backend)
    assert (first.host, first.port) == (second.host, second.port)
    assert said == []


def test_stop_ends_the_server_and_leaves_nothing(
    open_broker: OpenBroker, own_home: Environ, backend: str
) -> None:
    works(open_broker, own_home, backend)
    assert stop_all(own_home) == 1
    assert leftovers(own_home, backend) == []
    assert stop_all(own_home) == 0
    works(open_broker, own_home, backend)


def test_stop_waits_for_a_server_that_is_still_starting(
    open_broker: OpenBroker, own_home: Environ, backend: str
) -> None:
    refused: list[MachineError] = []

    def start() -> None:
        try:
            works(open_broker, own_home, backend)
        except MachineError as error:
            refused.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    assert poll(lambda: orphans.recorded(places(own_home)), timeout_s=30)
    assert stop_all(own_home) == 1
    thread.join()
    # Whoever was waiting for it was told, or had done its work, or has started a new one.
    stop_all(own_home)
    assert leftovers(own_home, backend) == []


def test_an_idle_server_ends_by_itself(open_broker: OpenBroker, own_home: Environ, backend: str) -> None:
    environ = {**own_home, "LABRUNNER_IDLE": "0.2"}
    works(open_broker, environ, backend)
    assert poll(lambda: not orphans.recorded(places(environ)), timeout_s=30)
    assert leftovers(environ, backend) == []


def test_a_server_in_use_is_not_idle(open_broker: OpenBroker, own_home: Environ) -> None:
    environ = {**own_home, "LABRUNNER_IDLE": "0"}
    with open_broker(environ, "embedded") as shop:
        first = shop.lease("postgres", {})
        assert not poll(lambda: not orphans.recorded(places(environ)), timeout_s=2.5)
        assert shop.lease("postgres", {}).host == first.host


def test_a_killed_keepers_server_is_gone_after_the_next_command(
    open_broker: OpenBroker, own_home: Environ, backend: str
) -> None:
    works(open_broker, own_home, backend)
    keeper_process(kept(own_home, backend)).kill()
    works(open_broker, own_home, backend)
    assert stop_all(own_home) == 1
    assert leftovers(own_home, backend) == []


def test_the_next_command_on_another_backend_ends_a_killed_keepers_server_too(
    open_broker: OpenBroker, own_home: Environ, backend: str
) -> None:
    works(open_broker, own_home, backend)
    keeping = kept(own_home, backend)
    keeper_process(keeping).kill()
    # Its lock is free when the last of its threads is gone, which may be a moment after it was killed.
    assert poll(lambda: orphans.sweep(places(own_home)), timeout_s=10) == 1
    assert leftovers(own_home, backend) == []
    assert orphans.sweep(places(own_home)) == 0


def test_an_orphan_that_outlived_its_keeper_is_ended(own_home: Environ) -> None:
    # As on systems where a child does not die with its parent: a process of ours, recorded and alone.
    environ = own_home
    one = keeping(registry.service("postgres"), "embedded", places(environ), environ)
    (one.folder / "data").mkdir()
    # Whoever runs the tests in the background may have had SIGQUIT switched off for them.
    restored = functools.partial(signal.signal, signal.SIGQUIT, signal.SIG_DFL)
    sleeper = psutil.Popen(["sleep", "600"], preexec_fn=restored)
    record = {"pid": sleeper.pid, "born": sleeper.create_time(), "stop_signal": int(signal.SIGQUIT)}
    (one.folder / "process.json").write_text(json.dumps(record))
    one.record.write_text(one.to_json())
    assert orphans.sweep(places(environ)) == 1
    assert sleeper.wait(timeout=10) == -signal.SIGQUIT
    assert not (one.folder / "data").exists()


def test_a_process_id_that_was_given_to_somebody_else_is_left_alone(own_home: Environ) -> None:
    one = keeping(registry.service("postgres"), "embedded", places(own_home), own_home)
    sleeper = psutil.Popen(["sleep", "600"])
    record = {"pid": sleeper.pid, "born": sleeper.create_time() - 60, "stop_signal": int(signal.SIGQUIT)}
    (one.folder / "process.json").write_text(json.dumps(record))
    one.record.write_text(one.to_json())
    assert orphans.sweep(places(own_home)) == 1
    assert sleeper.is_running()
    sleeper.kill()
    sleeper.wait()


def test_a_server_that_died_is_replaced_by_the_next_command(
    open_broker: OpenBroker, own_home: Environ, backend: str
) -> None:
    works(open_broker, own_home, backend)
    keeping = kept(own_home, backend)
    kill_server(keeping)
    works(open_broker, own_home, backend)


def kill_server(keeping: Keeping) -> None:
    if keeping.backend == "containers":
        assert containers.end_orphans(keeping.identity) == 1
    else:
        process = psutil.Process(json.loads((keeping.folder / "process.json").read_text())["pid"])
        process.kill()
        assert poll(lambda: not process.is_running() or process.status() == "zombie", timeout_s=10)


def test_a_server_that_dies_while_leased_is_the_machines_fault(
    open_broker: OpenBroker, own_home: Environ, backend: str
) -> None:
    with open_broker(own_home, backend) as shop:
        shop.lease("postgres", {})
        kill_server(kept(own_home, backend))
        with pytest.raises(MachineError, match=rf"the postgres server \({backend}\)") as refused:
            shop.lease("postgres", {})
        assert "run the command again" in refused.value.hint
    works(open_broker, own_home, backend)


def test_a_keeper_that_dies_while_leased_is_the_machines_fault(
    open_broker: OpenBroker, own_home: Environ
) -> None:
    with open_broker(own_home, "embedded") as shop:
        shop.lease("postgres", {})
        keeper_process(kept(own_home, "embedded")).kill()
        with pytest.raises(MachineError, match=r"the postgres server \(embedded\) went away"):
            shop.lease("postgres", {})
    works(open_broker, own_home, "embedded")


def test_many_first_grades_at_once_start_one_server(open_broker: OpenBroker, own_home: Environ) -> None:
    got: list[Endpoint] = []
    threads = [
        threading.Thread(target=lambda: got.append(works(open_broker, own_home, "embedded")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len({endpoint.host for endpoint in got}) == 1
    assert len(orphans.recorded(places(own_home))) == 1


def test_a_stale_socket_and_a_half_written_record_are_no_server(
    open_broker: OpenBroker, own_home: Environ
) -> None:
    one = keeping(registry.service("postgres"), "embedded", places(own_home), own_home)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(one.socket))
    one.record.write_text('{"service": "post')
    (one.folder / "process.json").write_text("not json")
    works(open_broker, own_home, "embedded")


def test_a_half_prepared_data_folder_is_made_anew(open_broker: OpenBroker, own_home: Environ) -> None:
    version = registry.service("postgres").local(own_home).version
    (places(own_home).prepared / f"postgres-{version}" / "data").mkdir(parents=True)
    (places(own_home).prepared / f"postgres-{version}.new" / "data").mkdir(parents=True)
    works(open_broker, own_home, "embedded")


def test_a_keeper_answers_what_it_does_not_know_and_goes_on(open_broker: OpenBroker, home: Environ) -> None:
    works(open_broker, home, "embedded")
    with client_of(home) as connection:
        with pytest.raises(MachineError, match="unknown"):
            connection._ask({"request": "dance"}, lambda _: None)
        assert connection.lease(Seed("", "", {}), lambda _: None).service == "postgres"


def client_of(environ: Environ) -> AbstractContextManager[client.KeeperClient]:
    return contextlib.closing(client.connected(kept(environ, "embedded"), lambda _: None))


def test_leases_of_a_killed_client_are_dropped(
    open_broker: OpenBroker, home: Environ, enter: Callable[..., psycopg.Connection]
) -> None:
    with open_broker(home, "embedded") as shop:
        watching = shop.lease("postgres", {})
        observer = enter(watching, watching.observer)
        with client_of(home) as other:
            gone = other.lease(Seed("", "", {}), lambda _: None)
            # What the system does for a process that is killed: its end of the connection is closed.
            other._connection.shutdown(socket.SHUT_RDWR)
        sql = "select 1 from pg_database where datname = %s union select 1 from pg_roles where rolname = %s"
        assert poll(
            lambda: not observer.execute(sql, [gone.name, gone.learner.user]).fetchall(), timeout_s=10
        )


def test_settings_that_differ_get_servers_that_differ(own_home: Environ) -> None:
    service = registry.service("postgres")
    where = places(own_home)
    plain = keeping(service, "containers", where, own_home)
    assert keeping(service, "containers", where, dict(own_home)).folder == plain.folder
    other = keeping(service, "containers", where, {**own_home, "LABRUNNER_POSTGRES_IMAGE": "postgres:15"})
    assert other.folder != plain.folder
    assert other.identity != plain.identity


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_an_idle_time_that_is_no_number_of_seconds_is_refused(own_home: Environ, text: str) -> None:
    with pytest.raises(UsageError, match="LABRUNNER_IDLE: expected a number of seconds"):
        keeping(
            registry.service("postgres"), "embedded", places(own_home), {**own_home, "LABRUNNER_IDLE": text}
        )


def test_a_keeper_that_cannot_start_says_why(open_broker: OpenBroker, own_home: Environ) -> None:
    bad = Path(own_home["LABRUNNER_HOME"])
    places(own_home)
    (bad / "bin").mkdir()
    for name in ("initdb", "postgres"):
        script = bad / "bin" / name
        script.write_text(
            '#!/bin/sh\ntest "$1" = --version && echo "postgres (PostgreSQL) 18.6" && exit\n'
            "echo 'no room' >&2; exit 7\n"
        )
        script.chmod(0o755)
    environ = {**own_home, "LABRUNNER_POSTGRES_BIN": str(bad / "bin")}
    with pytest.raises(MachineError, match=r"initdb ended with status 7; its last lines:\n +no room"):
        works(open_broker, environ, "embedded")
    (bad / "bin" / "initdb").write_text(
        '#!/bin/sh\nfor word; do case "$word" in --pgdata=*) mkdir -p "${word#--pgdata=}";; esac; done\n'
    )
    with pytest.raises(MachineError, match=r"server ended at its start; its last lines:\n +no room"):
        works(open_broker, environ, "embedded")
    (bad / "bin" / "postgres").write_text("#!/bin/sh\necho nonsense\n")
    with pytest.raises(MachineError, match="expected it to print its version, found: nonsense"):
        works(open_broker, environ, "embedded")
    (bad / "bin" / "postgres").chmod(0o644)
    with pytest.raises(MachineError, match="cannot be run: Permission denied"):
        works(open_broker, environ, "embedded")
    assert leftovers(environ, "embedded") == []


def test_a_service_that_is_not_known_is_named() -> None:
    with pytest.raises(
        MachineError, match="the service kafka cannot be started by this version; it knows postgres"
    ):
        registry.service("kafka")
