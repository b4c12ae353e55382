"""Which level is found to work, and what is said of those that do not."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from labrunner import sandbox
from labrunner.errors import MachineError
from labrunner.sandbox import confine, intruder, levels, seccomp


def programs(folder: Path, script: str) -> dict[str, str]:
    """An environment in which this script is bubblewrap."""
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return {"PATH": str(folder)}


def test_every_level_of_this_machine_holds_what_it_claims(
    level: sandbox.Level, as_user: Callable[[Callable[[], Any]], Any]
) -> None:
    found = as_user(lambda: sandbox.probe(level, os.environ))
    assert (found.level, found.works, found.remedy) == (level, True, "")
    assert found.reason.startswith("tried: ")
    assert found.reason.endswith("survivor")


def test_the_best_level_is_chosen(as_user: Callable[[Callable[[], Any]], Any]) -> None:
    choice = as_user(lambda: sandbox.choose(None, os.environ))
    assert (choice.level, choice.passed_over) == ("strict", ())


def test_a_lower_level_is_taken_when_asked_for() -> None:
    choice = sandbox.choose("process", os.environ)
    assert (choice.level, choice.probe.works) == ("process", True)


def test_without_bubblewrap_the_next_level_is_chosen_and_why_is_said(open_folder: Path) -> None:
    choice = sandbox.choose(None, {"PATH": str(open_folder)})
    assert choice.level == "landlock"
    (missed,) = choice.passed_over
    assert (missed.level, missed.reason) == ("strict", "bubblewrap (bwrap) is not installed")
    assert "apt install bubblewrap" in missed.remedy


def test_a_level_that_is_demanded_and_does_not_work_is_refused(open_folder: Path) -> None:
    environ = programs(open_folder, "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
    with pytest.raises(MachineError, match="strict: .*setting up uid map: Permission denied") as refused:
        sandbox.choose("strict", environ)
    assert "doctor" in refused.value.hint


def test_a_bubblewrap_that_confines_nothing_is_found_out(open_folder: Path) -> None:
    # It runs the command as it is: what comes after `--`.
    environ = programs(open_folder, 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    found = sandbox.probe("strict", environ)
    assert not found.works
    assert "opened /tmp/labrunner-secret-" in found.reason or "labrunner-secret" in found.reason
    assert "connected to" in found.reason


def test_a_bubblewrap_that_dies_in_silence_is_told(open_folder: Path) -> None:
    found = sandbox.probe("strict", programs(open_folder, "exit 0"))
    assert (found.works, found.reason) == (False, "the box cannot be made: it ended in silence")


def test_a_kernel_without_landlock_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "landlock_version", lambda: 2)
    found = sandbox.probe("landlock", os.environ)
    assert (found.works, found.reason) == (
        False,
        "the kernel offers version 2 of Landlock, needed is 4",
    )


def test_an_old_landlock_leaves_a_gap_that_is_named(
    monkeypatch: pytest.MonkeyPatch, as_user: Callable[[Callable[[], Any]], Any]
) -> None:
    monkeypatch.setattr(confine, "landlock_version", lambda: 4)
    root = as_user(os.getuid) == 0
    gaps, claims = as_user(lambda: levels._claims("landlock"))
    assert ("signals" in claims, "forks" in claims) == (root, root)
    assert len(gaps) == (0 if root else 2)


def test_another_system_has_the_lowest_level_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for level in ("strict", "landlock"):
        found = sandbox.probe(level, os.environ)
        assert (found.works, found.reason) == (False, "needs Linux")


def test_a_processor_without_a_filter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "machine", lambda: None)
    for level in ("strict", "landlock"):
        found = sandbox.probe(level, os.environ)
        assert not found.works
        assert "no seccomp filter is known for the processor" in found.reason
        assert found.remedy


@pytest.mark.parametrize(
    ("file", "value", "remedy"),
    [
        ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor"),
        ("proc/sys/kernel/unprivileged_userns_clone", "0\n", "sysctl kernel.unprivileged_userns_clone=1"),
        ("proc/sys/user/max_user_namespaces", "0\n", "sysctl user.max_user_namespaces=10000"),
        (".dockerenv", "", "inside a container"),
        ("proc/sys/user/max_user_namespaces", "1000\n", ""),
    ],
)
def test_the_remedy_is_read_from_the_machine(tmp_path: Path, file: str, value: str, remedy: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(value, encoding="ascii")
    assert levels._remedy("landlock", tmp_path) == ""
    found = levels._remedy("strict", tmp_path)
    assert found == remedy == "" or remedy in found


def test_an_intruder_that_nothing_holds_gets_everything(
    capfd: pytest.CaptureFixture[str], as_user: Callable[[Callable[[], Any]], Any], tmp_path: Path
) -> None:
    """The probe can fail: each of its attempts works where nothing confines it."""
    claims = [
        name
        for name in dict.fromkeys((*levels.CLAIMS["strict"], *levels.CLAIMS["landlock"]))
        if name not in {"survivor"}
    ]

    def unconfined() -> None:
        with levels._bait({}) as bait:
            child = os.fork()
            if child == 0:
                os.environ["TMPDIR"] = "/dev/shm"
                intruder.main([*bait.words(), "3", "8192", *claims])
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert bait.taken() == "sent a datagram out of it"

    unconfined()
    lines = [line.split(" ", 2) for line in capfd.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == claims
    assert {line[0] for line in lines if line[1] == "held"} <= ({"kernel"} if os.getuid() else set())
    for left in Path("/dev/shm").glob("intruder-*"):
        left.unlink()


def test_an_intruder_leaves_a_process_where_nothing_holds_it() -> None:
    alive, held = os.pipe()
    told, number = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(held, 3)
        intruder.main(["0", "", "0", "0", "", "0", "0", "survivor"])
        os._exit(0)
    os.waitpid(child, 0)
    left = [
        process
        for process in psutil.process_iter()
        if process.ppid() == 1 and process.status() != "zombie" and _is_ours(process)
    ]
    assert len(left) == 1
    left[0].kill()
    for descriptor in (alive, held, told, number):
        os.close(descriptor)


def _is_ours(process: psutil.Process) -> bool:
    """Whether a process was forked from this one: it has the same command line."""
    try:
        return process.cmdline() == psutil.Process().cmdline() and process.pid != os.getpid()
    except psutil.Error:
        return False


def test_an_intruder_that_is_cut_short_proves_nothing() -> None:
    ended = sandbox.Ending(0, None, None, "")
    output = sandbox.Output(b"files held\n", b"oh dear\nout of memory\n", ended)
    assert levels._judged(output, ("files", "memory")) == ("did not get through its attempts: out of memory")
    assert levels._judged(sandbox.Output(b"files held\n", b"", ended), ("files",)) == ""
    killed = sandbox.Ending(None, 9, None, "killed")
    assert "did not get through" in levels._judged(sandbox.Output(b"files held\n", b"", killed), ("files",))
