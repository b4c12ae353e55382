"""A program in a box as its parent has it: pipes, descriptors, ports, folders, signals, and what goes wrong."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from labrunner import sandbox
from labrunner.errors import AuthoringError, MachineError
from labrunner.sandbox.interpreter import own_python, python_mounts
from labrunner.waiting import poll

SERVER = """
import os, socket, sys
family = socket.AF_INET6 if sys.argv[2:] else socket.AF_INET
with socket.create_server(("::1" if sys.argv[2:] else "127.0.0.1", int(sys.argv[1])), family=family) as server:
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(connection.recv(100).upper())
"""
CLIENT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(b"select 1")
    print(connection.recv(100).decode())
"""


def test_input_is_given_and_output_read_apart(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    code = "import sys; text = sys.stdin.read(); print(len(text)); print('oh', file=sys.stderr); sys.exit(3)"
    ran = boxed(level, code, given=b"x" * 300_000)
    assert (ran.stdout, ran.stderr) == ("300000\n", "oh\n")
    assert ran.ending == sandbox.Ending(3, None, None, "your program ended with status 3")


def test_input_that_nobody_reads_is_no_trouble(level: sandbox.Level, boxed: Callable[..., Any]) -> None:
    assert boxed(level, "print('done')", given=b"x" * 300_000).stdout == "done\n"


def test_a_conversation_goes_both_ways(level: sandbox.Level, build_box: Callable[..., sandbox.Box]) -> None:
    code = "import sys\nfor line in sys.stdin: print(line.strip() * 2, flush=True)"
    with sandbox.run(build_box(code), level, os.environ) as program:
        for word in (b"one", b"two"):
            program.stdin.write(word + b"\n")
            assert program.stdout.read(100) == word * 2 + b"\n"
        assert program.wait(0) is None
        program.stdin.close()
        ending = program.wait(10)
    assert ending == program.ending == sandbox.Ending(0, None, None, "your program ended with status 0")


def test_reading_for_some_time_leaves_the_program_running(build_box: Callable[..., sandbox.Box]) -> None:
    code = "import time; print('begun', flush=True); time.sleep(20)"
    with sandbox.run(build_box(code), "process", os.environ) as program:
        output = sandbox.communicate(program, timeout_s=0.5)
        assert (output.stdout, output.ending) == (b"begun\n", None)


def test_a_signal_reaches_the_program_as_it_came(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box]
) -> None:
    code = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"heard\\n"))
os.write(1, b"ready\\n")
while True:
    signal.pause()
"""
    with sandbox.run(build_box(code), level, os.environ) as program:
        assert program.stdout.read(100) == b"ready\n"
        program.signal(signal.SIGUSR1)
        assert program.stdout.read(100) == b"heard\n"
        program.signal(signal.SIGSEGV)
        ending = program.wait(10)
    assert ending == sandbox.Ending(None, 11, None, "your program was ended by SIGSEGV")
    # Nobody is there any more: both are the same as before.
    program.signal(signal.SIGTERM)
    assert program.kill() == ending


def test_stopping_waits_for_a_program_that_ends_in_its_own_time(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box]
) -> None:
    code = """
import os, signal
def drain(*_):
    os.write(1, b"drained\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, drain)
os.write(1, b"ready\\n")
while True:
    signal.pause()
"""
    with sandbox.run(build_box(code), level, os.environ) as program:
        assert program.stdout.read(100) == b"ready\n"
        assert program.stop(10).status == 0
        assert program.stdout.read(100) == b"drained\n"


def test_stopping_ends_a_program_that_does_not(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box]
) -> None:
    code = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
    with sandbox.run(build_box(code), level, os.environ) as program:
        assert program.stdout.read(100) == b"ready\n"
        assert program.stop(0.2) == sandbox.Ending(None, 9, None, "your program was ended by SIGKILL")


def test_broken_pipes_end_a_program_as_they_would_outside(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box]
) -> None:
    code = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "mask = [l for l in open('/proc/self/status') if l.startswith('SigIgn')][0]; print(mask)"
    )
    with sandbox.run(build_box(code), level, os.environ) as program:
        shown = program.stdout.read(100)
    # Python itself ignores SIGPIPE; nothing else is ignored.
    assert int(shown.split()[1], 16) == 1 << (signal.SIGPIPE - 1)


def test_descriptors_are_handed_in_by_their_own_numbers(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box]
) -> None:
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    code = "import os, socket; s = socket.socket(fileno=5); s.sendall(os.read(3, 10)); print(s.recv(10).decode())"
    box = build_box(code, descriptors={3: read, 5: theirs.fileno()})
    with ours, theirs, sandbox.run(box, level, os.environ) as program:
        os.write(write, b"through")
        assert ours.recv(10) == b"through"
        ours.sendall(b"back")
        assert program.stdout.read(10) == b"back\n"
    os.close(read)
    os.close(write)


def test_a_service_is_reached_through_the_parent_alone(
    level: sandbox.Level, as_user: Callable[[Callable[[], Any]], Any], build_box: Callable[..., sandbox.Box]
) -> None:
    def run() -> tuple[bytes, bytes]:
        wanted = sandbox.listener(level, 5432)
        assert level != "strict" or wanted.port == 5432
        box = build_box(CLIENT, str(wanted.port), listeners=(wanted,))
        with sandbox.run(box, level, os.environ) as program:
            connection, _ = program.listeners[wanted.port].accept()
            with connection:
                asked = connection.recv(100)
                connection.sendall(b"1 row")
            return asked, program.stdout.read(100)

    assert as_user(run) == (b"select 1", b"1 row\n")


@pytest.mark.parametrize("six", [(), ("6",)], ids=["IPv4", "IPv6"])
def test_a_programs_own_port_is_reached_from_the_parent(
    six: tuple[str, ...],
    level: sandbox.Level,
    as_user: Callable[[Callable[[], Any]], Any],
    build_box: Callable[..., sandbox.Box],
) -> None:
    def run() -> list[bytes]:
        port = sandbox.own_port(level, 8000)
        assert level != "strict" or port == 8000
        answers = []
        with sandbox.run(build_box(SERVER, str(port), *six, ports=(port,)), level, os.environ) as program:

            def connected() -> socket.socket | None:
                try:
                    return program.connect(port)
                except ConnectionRefusedError:
                    return None

            for word in (b"one", b"two"):
                connection = poll(connected, timeout_s=10)
                assert connection
                with connection:
                    connection.sendall(word)
                    answers.append(connection.recv(100))
            program.kill()
            with pytest.raises(ConnectionAbortedError, match="the program has ended"):
                program.connect(port)
        return answers

    assert as_user(run) == [b"ONE", b"TWO"]


def test_a_port_that_accepts_nobody_is_given_up(build_box: Callable[..., sandbox.Box]) -> None:
    code = """
import socket, time
server = socket.socket()
server.bind(("127.0.0.1", 8000))
server.listen(0)
print("ready", flush=True)
time.sleep(20)
"""
    with sandbox.run(build_box(code), "strict", os.environ) as program:
        assert program.stdout.read(100) == b"ready\n"
        held = [program.connect(8000)]
        with pytest.raises(TimeoutError):
            for _ in range(10):
                held.append(program.connect(8000, timeout_s=0.2))
        for connection in held:
            connection.close()


def test_landlock_holds_a_program_to_its_ports(boxed: Callable[..., Any]) -> None:
    port = sandbox.own_port("landlock", 8000)
    code = (
        "import socket; socket.create_server(('127.0.0.1', int(__import__('sys').argv[1]))); print('listens')"
    )
    assert boxed("landlock", code, str(port), ports=(port,)).stdout == "listens\n"
    assert "Permission denied" in boxed("landlock", code, str(port)).stderr


def test_files_are_shown_to_read_and_a_folder_to_change(
    level: sandbox.Level, run_box: Callable[..., Any], open_folder: Path
) -> None:
    shown, changed = open_folder / "submission", open_folder / "scratch"
    (shown / "secret").mkdir(parents=True)
    (shown / "main.py").write_text("print('mine')", encoding="utf-8")
    (shown / "secret" / "answer").write_text("42", encoding="utf-8")
    (changed / "deep").mkdir(parents=True)
    (changed / "deep" / "data").write_text("old", encoding="utf-8")
    mount, folder = sandbox.Mount(shown, "/lab", ("secret",)), sandbox.Folder(changed, "/work")
    code = """
import os, sys
exec(open(sys.argv[1] + "/main.py").read())
print(open("deep/data").read())
with open("deep/data", "a") as file: file.write(" and new")
os.mkdir("made")
for action in (lambda: open(sys.argv[1] + "/main.py", "a"), lambda: open(sys.argv[1] + "/secret/answer")):
    try:
        action()
        print("GOT")
    except OSError:
        print("refused")
"""
    ran = run_box(level, code, mount.at(level), mounts=(mount,), folder=folder, workdir=folder.at(level))
    lines = ran.stdout.splitlines()
    assert lines[:2] == ["mine", "old"], ran.stderr
    if level != "process":
        assert lines[2:] == ["refused", "refused"]
    assert (changed / "deep" / "data").read_text(encoding="utf-8") == "old and new"
    assert (changed / "made").is_dir()
    assert mount.at("strict") == "/lab"
    assert mount.at("process") == str(shown)
    assert sandbox.Mount(shown).at("strict") == str(shown)


def test_a_program_of_another_language_runs_too(boxed: Callable[..., Any]) -> None:
    """Anything that is a file and a set of libraries: here a shell."""
    shell = tuple(sandbox.Mount(path) for path in (Path("/bin/sh"),))
    box = {"mounts": shell}
    code = "import os; os.execv('/bin/sh', ['sh', '-c', 'echo hello'])"
    assert boxed("strict", code, **box).stdout == "hello\n"


def test_the_environments_python_is_found_by_its_links(
    level: sandbox.Level, open_folder: Path, build_box: Callable[..., sandbox.Box]
) -> None:
    (open_folder / "bin").mkdir()
    (open_folder / "bin" / "python").symlink_to("python3")
    (open_folder / "bin" / "python3").symlink_to(own_python())
    (open_folder / "pyvenv.cfg").write_text(f"home = {own_python().parent}\n", encoding="utf-8")
    mounts = (sandbox.Mount(open_folder), *python_mounts(open_folder / "bin" / "python"))
    command = (str(open_folder / "bin" / "python"), "-I", "-c", "import sys, json; print(sys.prefix)")
    with sandbox.run(sandbox.Box(command, mounts=mounts), level, os.environ) as program:
        output = sandbox.communicate(program)
    assert output.stdout.decode().strip() == str(open_folder), output.stderr


def test_a_command_that_is_not_there_is_said(level: sandbox.Level) -> None:
    box = sandbox.Box(("/nowhere/program",))
    with (
        pytest.raises(AuthoringError, match="cannot be started: /nowhere/program: No such file") as refused,
        sandbox.run(box, level, os.environ),
    ):
        pass
    assert "mount" in refused.value.hint


def test_a_folder_to_work_in_that_is_not_there_is_said(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box]
) -> None:
    with (
        pytest.raises(AuthoringError, match="folder cannot be entered: /nowhere: No such file"),
        sandbox.run(build_box("", workdir="/nowhere"), level, os.environ),
    ):
        pass


def test_a_mount_that_is_not_there_is_said(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box], open_folder: Path
) -> None:
    box = build_box("", mounts=(sandbox.Mount(open_folder / "none"),))
    with (
        pytest.raises(AuthoringError, match="none: no such file or folder to show"),
        sandbox.run(box, level, os.environ),
    ):
        pass


def test_a_mount_that_the_programs_account_could_not_read_is_said(
    build_box: Callable[..., sandbox.Box], open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labrunner.sandbox import account

    (open_folder / "closed").mkdir(mode=0o700)
    if os.getuid() != 0:
        # What root finds out before it starts is never asked of anybody else.
        monkeypatch.setattr(account, "new_account", lambda: 1_900_000_000)
    with (
        pytest.raises(MachineError, match="closed to other accounts") as refused,
        sandbox.run(build_box("", mounts=(sandbox.Mount(open_folder / "closed"),)), "strict", os.environ),
    ):
        pass
    assert "chmod" in refused.value.hint


def test_a_supervisor_that_is_ended_from_outside_is_noticed(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box]
) -> None:
    with sandbox.run(build_box("import time; time.sleep(30)"), level, os.environ) as program:
        os.kill(program.pid, signal.SIGKILL)
        assert program.wait(10) == sandbox.Ending(None, 9, None, "your program was ended by SIGKILL")


def test_a_supervisor_that_does_not_answer_is_ended_at_the_deadline(
    level: sandbox.Level, build_box: Callable[..., sandbox.Box], monkeypatch: pytest.MonkeyPatch
) -> None:
    from labrunner.sandbox import program as module

    monkeypatch.setattr(module, "_GRACE_S", 0.3)
    box = build_box("import time; time.sleep(30)", limits={"time_s": 0.2})
    with sandbox.run(box, level, os.environ) as program:
        for process in (*psutil.Process(program.pid).children(recursive=True), psutil.Process(program.pid)):
            process.suspend()
        output = sandbox.communicate(program)
    assert output.ending == sandbox.Ending(None, 9, "time", "your program did not end within 0.2 s")
