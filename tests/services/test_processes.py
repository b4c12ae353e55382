"""The pieces below the servers: folders, locks, processes."""

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from labrunner.errors import MachineError
from labrunner.services import processes
from labrunner.services.locks import try_locked
from labrunner.services.places import places
from labrunner.waiting import poll


def test_a_server_that_ignores_its_stop_signal_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_STOP_S", 0.2)
    script = "trap '' QUIT; echo ready; while :; do sleep 0.05; done"
    with processes.server_process(
        ["/bin/sh", "-c", script],
        log=tmp_path / "log",
        account=None,
        environ={"PATH": os.defpath},
        stop_signal=signal.SIGQUIT,
    ) as process:
        assert poll(lambda: "ready" in process.words(), timeout_s=10)
        assert process.alive()
    assert not psutil.pid_exists(process.pid)


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be run: No such file or directory"):
        processes.run([str(tmp_path / "none")], account=None, environ={})


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    with try_locked(tmp_path / "lock") as first, try_locked(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with try_locked(tmp_path / "lock") as again:
        assert again


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="this folder is needed and cannot be made") as refused:
        places({"LABRUNNER_HOME": str(tmp_path / "file" / "home")})
    assert "LABRUNNER_HOME" in refused.value.hint


def test_a_folder_that_is_not_ones_own_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "elsewhere").mkdir()
    home.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError, match="expected a folder of your own"):
        places({"LABRUNNER_HOME": str(home)})


def test_the_home_follows_the_users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    from labrunner.services.places import _home

    assert _home({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "labrunner"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _home({}) == tmp_path / ".cache" / "labrunner"
    monkeypatch.setattr("sys.platform", "darwin")
    assert _home({}) == tmp_path / "Library" / "Caches" / "labrunner"
    monkeypatch.undo()
    assert _home({"LABRUNNER_HOME": "/somewhere"}) == Path("/somewhere")


def test_sockets_lie_in_a_folder_whose_path_is_short(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    found = places({"LABRUNNER_HOME": str(deep)})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(found.run / "postgres-containers-12345678"))
    (found.run / "postgres-containers-12345678").unlink()
    found.run.rmdir()
