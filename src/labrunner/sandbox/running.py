"""Runs a program in a box, to the end of a block, and leaves nothing of it behind."""

import contextlib
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

from labrunner.errors import AuthoringError, MachineError
from labrunner.sandbox import account, cgroup, launch, process, removal
from labrunner.sandbox.box import Box, Level, Listener
from labrunner.sandbox.control import Control
from labrunner.sandbox.launch import Surroundings
from labrunner.sandbox.process import Process
from labrunner.sandbox.program import Program

_START_S = 30.0
_LEAVE_S = 5.0
_BACKLOG = 128
_REMEDY = "run `labrunner doctor`, which tries every level of isolation and says what each lacks"
_CLOSED = (
    "run labrunner as an ordinary user, or keep Python and the labs outside {}, which other accounts may not "
    "enter and this process may not open to them"
)


def listener(level: Level, port: int) -> Listener:
    """A port for a service that the box's program shall reach: this one in a strict box, else a free one."""
    if level == "strict":
        return Listener(port)
    made = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    return Listener(made.getsockname()[1], made)


def own_port(level: Level, port: int) -> int:
    """A port on which a program may listen: this one in a strict box, else one that is free now."""
    if level == "strict":
        return port
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


@contextmanager
def run(box: Box, level: Level, environ: Mapping[str, str]) -> Iterator[Program]:
    """Start a program in a box of this level, and leave nothing of it when the block ends.

    Raises AuthoringError when the command or its folder is not there, MachineError when this machine cannot
    make the box. The block must end in the thread that entered it. Of `environ`, which is labrunner's own and
    not the program's, PATH says where bubblewrap is and TMPDIR where folders are made.
    """
    with ExitStack() as stack:
        around = _surroundings(stack, box, level, environ)
        group = stack.enter_context(
            cgroup.group(box.limits, name=f"labrunner-{os.getpid()}-{secrets.token_hex(8)}")
        )
        theirs = stack.enter_context(ExitStack())
        ours, stdio = _pipes(stack, theirs)
        parents, supervisors = socket.socketpair()
        theirs.callback(supervisors.close)
        control = stack.enter_context(contextlib.closing(Control(parents, private=level == "strict")))
        outermost = stack.enter_context(_outermost(box, around, supervisors.fileno(), stdio))
        theirs.close()
        control.send(launch.supervisor_load(launch.specification(box, around, stdio)))
        if group:
            # It may have children already: they are moved as soon as there will be no more of them.
            group.add(outermost.popen.pid)
        _expect(control, "ready", box, outermost)
        if group:
            for pid in outermost.tree():
                group.add(pid)
        program = Program(box, outermost, control, ours, group)
        for wanted in box.listeners:
            program.listeners[wanted.port] = stack.enter_context(_listening(control, wanted))
        control.say("go")
        _expect(control, "started", box, outermost)
        stack.callback(program.kill)
        yield program


def _surroundings(stack: ExitStack, box: Box, level: Level, environ: Mapping[str, str]) -> Surroundings:
    number, mounts = account.new_account(), launch.all_mounts(box)
    shown = [mount.host for mount in box.mounts] + ([box.folder.host] if box.folder else [])
    for path in shown:
        _check(path, readable=number is not None and not (box.folder and path == box.folder.host))
    if box.folder and number is not None:
        account.give(box.folder.host, number)
    if level == "strict":
        return Surroundings(level, None, number, mounts, launch.bubblewrap(environ))
    temporary = Path(tempfile.mkdtemp(prefix="labrunner-box-", dir=environ.get("TMPDIR")))
    stack.callback(removal.remove, temporary)
    (temporary / "home").mkdir()
    if number is not None:
        account.give(temporary, number)
    return Surroundings(level, temporary, number, mounts, "")


def _check(path: Path, *, readable: bool) -> None:
    """Raise when there is nothing to show, or the program's own account could not read it."""
    if not path.exists():
        raise AuthoringError(
            f"{path}: no such file or folder to show to the program", hint="make it, or leave it out"
        )
    if readable and account.is_closed(path):
        raise MachineError(
            f"{path}: closed to other accounts, and as labrunner runs as root the program has its own",
            hint=f"chmod -R o+rX {path}, or run labrunner as an ordinary user",
        )


def _pipes(ours: ExitStack, theirs: ExitStack) -> tuple[tuple[FileIO, FileIO, FileIO], tuple[int, int, int]]:
    """Standard input, output and error: our ends, and the descriptors that the program gets."""
    kept, given = [], []
    for writes in (True, False, False):
        reading, writing = os.pipe()
        kept.append(ours.enter_context(FileIO(writing if writes else reading, "w" if writes else "r")))
        given.append(reading if writes else writing)
        theirs.callback(os.close, given[-1])
    return (kept[0], kept[1], kept[2]), (given[0], given[1], given[2])


@contextmanager
def _outermost(box: Box, around: Surroundings, control: int, stdio: tuple[int, ...]) -> Iterator[Process]:
    """The outermost process of the box, with the descriptors that it hands on."""
    strict = around.level == "strict"
    dropped = around.account if strict else None
    paths = _paths(box, around)
    closed = account.closed_ways(paths) if os.getuid() == 0 else ()
    with ExitStack() as stack:
        output = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))
        argv, data = launch.supervisor_words(control), list[int]()
        if strict:
            held = {name: stack.enter_context(_held(text)) for name, text in launch.bubblewrap_data().items()}
            words = launch.bubblewrap_words(box, around, {name: file.fileno() for name, file in held.items()})
            arguments = stack.enter_context(_held("\0".join(words).encode() + b"\0"))
            argv = [around.bubblewrap, "--args", str(arguments.fileno()), "--", *argv]
            data = [file.fileno() for file in (*held.values(), arguments)]
        yield stack.enter_context(
            process.outermost(
                argv,
                descriptors=sorted({control, *stdio, *box.descriptors.values(), *data}),
                output=output,
                account=dropped,
                before=partial(account.open_ways, closed, paths, dropped) if closed else None,
                hint=_CLOSED.format(closed[0] if closed else "/root"),
            )
        )


@contextmanager
def _held(data: bytes) -> Iterator[BinaryIO]:
    """A file without a name that holds this, at its beginning."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield cast("BinaryIO", file)


def _paths(box: Box, around: Surroundings) -> tuple[Path, ...]:
    """Everything of this machine that the box shows, by the paths given and by those they lead to."""
    shown = [mount.host for mount in around.mounts]
    shown += [path for path in (around.temporary, box.folder.host if box.folder else None) if path]
    return tuple(dict.fromkeys(path for name in shown for path in (name.absolute(), name.resolve())))


def _expect(control: Control, word: str, box: Box, outermost: Process) -> None:
    """Wait for this line. Raises what the supervisor or bubblewrap says instead."""
    try:
        words = control.line(time.monotonic() + _START_S)
    except TimeoutError:
        words = f"no answer within {_START_S:g} s"
    if words == word:
        return
    stage, _, number = (words or "").removeprefix("unstarted ").partition(" ")
    reason = os.strerror(int(number)) if number.isdigit() else ""
    if stage == "command":
        raise AuthoringError(
            f"the program cannot be started: {box.command[0]}: {reason}",
            hint="name in `command` a file that is inside the box, or mount the one that is missing",
        )
    if stage == "workdir":
        raise AuthoringError(
            f"the program's folder cannot be entered: {box.workdir}: {reason}",
            hint="name in `workdir` a folder that is inside the box",
        )
    outermost.ended(_LEAVE_S)
    told = outermost.words().strip() or (f"{stage}: {reason}" if reason else words or "it ended in silence")
    raise MachineError(f"the box cannot be made: {told}", hint=_REMEDY)


@contextmanager
def _listening(control: Control, wanted: Listener) -> Iterator[socket.socket]:
    """The listening socket of a service's port: made in the box's own network where it has one."""
    if wanted.server:
        with wanted.server:
            yield wanted.server
        return
    with control.new_socket(socket.AF_INET) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", wanted.port))
        made.listen(_BACKLOG)
        yield made
