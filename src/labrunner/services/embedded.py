"""The embedded backend: servers as local processes, each on a copy of a data folder prepared once."""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from labrunner.errors import MachineError
from labrunner.services import processes
from labrunner.services.locks import locked
from labrunner.services.processes import Account, ServerProcess, service_account
from labrunner.services.server import LocalRecipe, Progress, Server, Service
from labrunner.waiting import poll

_ADMIN = "labrunner"
_READY_S = 30.0
_END_S = 10.0


@contextmanager
def run(
    service: Service,
    folder: Path,
    run_folder: Path,
    prepared: Path,
    environ: Mapping[str, str],
    progress: Progress,
) -> Iterator[Server]:
    """Run a private server below `folder`, which is emptied of its data afterwards.

    Raises MachineError when no server is found for this platform, or when it ends instead of answering.
    """
    recipe = service.local(environ)
    account = service_account()
    data = folder / "data"
    with contextlib.ExitStack() as stack:
        programs = _programs(service, recipe, prepared, account)
        source, password = _prepared(service, recipe, programs, prepared, account, progress)
        shutil.rmtree(data, ignore_errors=True)
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        # `cp` keeps owners and modes, and clones blocks instead of copying them where the file system can.
        processes.run(["cp", "-a", str(source), str(data)], account=None, environ={"PATH": os.defpath})
        sockets = _owned_folder(run_folder / "s", account)
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        process = stack.enter_context(
            processes.server_process(
                [word.format(programs=programs, data=data, run=sockets) for word in recipe.start],
                log=folder / "server.log",
                account=account,
                environ=recipe.environment,
                stop_signal=recipe.stop_signal,
            )
        )
        stack.enter_context(_recorded(folder, process))
        server = Server(
            service=service.name,
            backend="embedded",
            version=recipe.version,
            host=str(sockets),
            port=recipe.port,
            user=_ADMIN,
            password=password,
            database="postgres",
        )
        _wait(service, server, process)
        yield server


def end_orphan(folder: Path, run_folder: Path) -> None:
    """End a server whose keeper was killed, and remove its data and its socket."""
    import psutil

    record = folder / "process.json"
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
        found = json.loads(record.read_text(encoding="utf-8"))
        process = psutil.Process(int(found["pid"]))
        # The process id may be somebody else's by now; id and time of birth together name one process.
        if process.create_time() == found["born"]:
            process.send_signal(int(found["stop_signal"]))
            if not poll(lambda: not process.is_running(), timeout_s=_END_S):
                process.kill()
                poll(lambda: not process.is_running(), timeout_s=_END_S)
    for leftover in (folder / "data", run_folder / "s"):
        shutil.rmtree(leftover, ignore_errors=True)
    record.unlink(missing_ok=True)


@contextmanager
def _recorded(folder: Path, process: ServerProcess) -> Iterator[None]:
    import psutil

    record = folder / "process.json"
    born = psutil.Process(process.pid).create_time() if process.alive() else 0.0
    found = {"pid": process.pid, "born": born, "stop_signal": int(process.stop_signal)}
    record.write_text(json.dumps(found), encoding="utf-8")
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def _wait(service: Service, server: Server, process: ServerProcess) -> None:
    answered = poll(lambda: service.probe(server) or not process.alive(), timeout_s=_READY_S)
    if not process.alive():
        raise MachineError(
            f"the embedded {service.name} server ended at its start; its last lines:\n{process.words()}",
            hint="its log says why; free disk space and the limits of this user are the usual reasons",
        )
    if not answered:
        raise MachineError(
            f"the embedded {service.name} server did not answer within {_READY_S:g} s; "
            f"its last lines:\n{process.words()}",
            hint="run the command again when this machine is less busy",
        )


def _prepared(
    service: Service,
    recipe: LocalRecipe,
    programs: Path,
    prepared: Path,
    account: Account | None,
    progress: Progress,
) -> tuple[Path, str]:
    """The prepared data folder of this version and the administrator's password in it, made when missing."""
    target = prepared / f"{service.name}-{recipe.version}"
    with locked(prepared / f"{target.name}.lock"):
        if not (target / "password").is_file():
            progress(f"preparing {service.name} {recipe.version} (once on this machine)")
            shutil.rmtree(target, ignore_errors=True)
            building = prepared / f"{target.name}.new"
            shutil.rmtree(building, ignore_errors=True)
            _owned_folder(building, account)
            _traversable(building, account)
            password = secrets.token_urlsafe(24)
            _write(building / "password", password, account)
            processes.run(
                [
                    word.format(
                        programs=programs, data=building / "data", password_file=building / "password"
                    )
                    for word in recipe.prepare
                ],
                account=account,
                environ=recipe.environment,
            )
            building.rename(target)
        return target / "data", (target / "password").read_text(encoding="ascii")


def _programs(service: Service, recipe: LocalRecipe, prepared: Path, account: Account | None) -> Path:
    """The folder of the server's programs; a copy, where the servers' account cannot enter the original."""
    if account is None or all(
        parent.stat().st_mode & 0o001 for parent in (recipe.programs, *recipe.programs.parents)
    ):
        return recipe.programs
    target = prepared / f"{service.name}-{recipe.version}-programs"
    top = recipe.trees[0].parent
    with locked(prepared / f"{target.name}.lock"):
        if not target.is_dir():
            building = prepared / f"{target.name}.new"
            shutil.rmtree(building, ignore_errors=True)
            for tree in recipe.trees:
                shutil.copytree(tree, building / tree.name, symlinks=True)
            building.rename(target)
    return target / recipe.programs.relative_to(top)


def _owned_folder(folder: Path, account: Account | None) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def _write(path: Path, text: str, account: Account | None) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _traversable(folder: Path, account: Account | None) -> None:
    """Refuse a place that the servers' unprivileged account cannot reach, in clearer words than initdb's."""
    if account is None:
        return
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001:
            raise MachineError(
                f"{parent}: the server runs as an unprivileged user, who may not enter this folder",
                hint="set LABRUNNER_HOME to a folder that every user may enter, for example below /var/cache",
            )
