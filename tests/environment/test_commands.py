import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

from labrunner.environment import commands
from labrunner.environment.commands import Done, kept, run
from labrunner.environment.reasons import failure
from labrunner.environment.sources import Source
from labrunner.errors import AuthoringError, MachineError
from labrunner.waiting import poll

LAB = Source(Path(), "lab", "labs/x/starter")


def test_a_commands_status_and_last_words_are_kept(tmp_path: Path) -> None:
    code = "import sys; print('x' * 70_000); print('out', flush=True); print('err', file=sys.stderr); exit(3)"
    done = run([sys.executable, "-c", code], folder=tmp_path, environ={})
    assert done.status == 3
    assert done.output.endswith("x\nout\nerr\n")
    assert len(done.output) == 65_536
    assert run(["sh", "-c", "kill -9 $$"], folder=tmp_path, environ={}).status == -signal.SIGKILL
    assert run(["printf", r"\377"], folder=tmp_path, environ=dict(os.environ)).output == "\ufffd"


def test_a_command_runs_in_its_folder_without_input_and_lets_others_read_what_it_makes(
    tmp_path: Path,
) -> None:
    done = run(["sh", "-c", "pwd; cat; umask"], folder=tmp_path, environ=dict(os.environ))
    assert done.output == f"{tmp_path}\n0022\n"


def test_a_command_that_cannot_be_started_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        run([str(tmp_path / "missing")], folder=tmp_path, environ={})
    assert str(caught.value) == f"{tmp_path}/missing: cannot be run: No such file or directory"
    assert caught.value.hint == "install it again, or labrunner"


def test_a_command_that_does_not_end_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_DEADLINE_S", 0.5)
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(MachineError) as caught:
        run(["sh", "-c", "sleep 600 & sleep 600"], folder=tmp_path, environ=dict(os.environ), held=[lock])
    assert str(caught.value) == "sh did not end within 0 s"
    assert caught.value.hint == "look at the network, and try again"
    os.close(lock)
    # The children held the lock too, so it is free only when they are gone.
    again = os.open(tmp_path / "lock", os.O_RDWR)

    def free() -> bool:
        try:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    assert poll(free, timeout_s=10)
    os.close(again)


def test_only_what_says_where_packages_come_from_is_passed_on() -> None:
    given = {
        "PATH": "/bin",
        "https_proxy": "p",
        "UV_INDEX_PRIVATE_PASSWORD": "s",
        "UV_DEFAULT_INDEX": "i",
        "npm_config_registry": "r",
    }
    refused = {
        "UV_PROJECT": "x",
        "UV_CONSTRAINT": "x",
        "UV_NO_BINARY": "1",
        "UV_COMPILE_BYTECODE": "1",
        "VIRTUAL_ENV": "x",
        "PYTHONPATH": "x",
        "PYTHONSTARTUP": "x",
        "LD_PRELOAD": "x",
        "NODE_OPTIONS": "x",
        "npm_config_ignore_scripts": "false",
        "npm_config_global": "true",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    assert kept({**given, **refused}) == {**given, "UV_HTTP_RETRIES": "1"}
    assert kept({"UV_HTTP_RETRIES": "5"}) == {"UV_HTTP_RETRIES": "5"}


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "error: Failed to install: six\n  cause: No space left on device (os error 28)\n",
            "Failed to install: six: No space left on device (os error 28)",
        ),
        ("Disk quota exceeded", "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_the_machines_fault(output: str, reason: str) -> None:
    error = failure("python", Done(2, output), LAB, "uv.lock")
    assert isinstance(error, MachineError)
    assert str(error) == f"there is no space for the packages of labs/x/starter: {reason}"
    assert error.hint == "make space in labrunner's cache folder and in the package manager's"


def test_npms_full_disk_is_the_machines_fault() -> None:
    output = (
        "npm warn something\nnpm error code ENOSPC\nnpm error syscall write\nnpm error errno -28\n"
        "npm error nospc ENOSPC: no space left on device, write\n"
    )
    error = failure("node", Done(228, output), LAB, "package-lock.json")
    assert isinstance(error, MachineError)
    assert "nospc ENOSPC: no space left on device, write" in str(error)


@pytest.mark.parametrize(
    "output",
    [
        "error: Failed to fetch: `http://x/`\n  Caused by: dns error: failed to lookup address",
        "error: Network connectivity is disabled, but the requested data wasn't found in the cache",
        "error: HTTP status server error (503 Service Unavailable) for url (http://x/)",
        "error: x\n  cause: invalid peer certificate: UnknownIssuer",
        "error: operation timed out",
    ],
)
def test_a_network_that_is_down_is_the_machines_fault(output: str) -> None:
    error = failure("python", Done(2, output), LAB, "uv.lock")
    assert isinstance(error, MachineError)
    assert str(error).startswith("the packages of labs/x/starter cannot be fetched: ")


def test_a_reason_is_one_short_printable_line() -> None:
    long = failure("python", Done(2, "error: " + "no \x1b[2J\n  cause: way\n\nhint: x" * 100), LAB, "uv.lock")
    assert isinstance(long, AuthoringError)
    assert str(long).startswith(r"labs/x/starter/uv.lock: its packages cannot be installed: no \x1b[2J: way")
    endless = failure("python", Done(2, "error: " + "no " * 1000), LAB, "uv.lock")
    assert str(endless).endswith("no …")
    assert len(str(endless)) < 480


def test_without_a_reason_the_status_or_the_last_words_are_told() -> None:
    silent = failure("python", Done(-9, ""), LAB, "uv.lock")
    assert str(silent).endswith("cannot be installed: the package manager ended with status -9")
    assert str(failure("node", Done(1, "Killed\n"), LAB, "x")).endswith("cannot be installed: Killed")
    assert str(failure("python", Done(1, "Killed\n"), LAB, "x")).endswith("cannot be installed: Killed")
