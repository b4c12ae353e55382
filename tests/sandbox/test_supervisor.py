"""The supervisor by itself, in a child of the tests and without a box around it."""

import os
import resource
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labrunner import sandbox
from labrunner.sandbox import confine, launch, supervisor, watch
from labrunner.sandbox.control import Control
from labrunner.sandbox.launch import Surroundings
from labrunner.waiting import poll


class Supervised:
    """A supervisor in a child, spoken to by its parent's end of the conversation."""

    def __init__(self, control: Control, output: int, pid: int) -> None:
        self.control = control
        self.output = output
        self.pid = pid

    def line(self) -> str | None:
        import time

        return self.control.line(time.monotonic() + 20)

    def said(self) -> str:
        return os.read(self.output, 1000).decode()


@pytest.fixture
def supervised(open_folder: Path, build_box: Callable[..., sandbox.Box]) -> Callable[..., Any]:
    @contextmanager
    def start(
        code: str, *words: str, level: sandbox.Level = "process", change: Any = None, **more: Any
    ) -> Iterator[Supervised]:
        (open_folder / "home").mkdir(exist_ok=True)
        box = build_box(code, *words, **more)
        around = Surroundings(level, open_folder, None, launch.all_mounts(box), "")
        stdin = os.open(os.devnull, os.O_RDONLY)
        reading, writing = os.pipe()
        ours, theirs = socket.socketpair()
        spec = launch.specification(box, around, (stdin, writing, writing))
        spec.update(change or {})
        child = os.fork()
        if child == 0:
            ours.close()
            os.close(reading)
            try:
                supervisor.main(theirs.detach(), spec)
            finally:
                os._exit(0)
        theirs.close()
        os.close(writing)
        control = Control(ours, private=True)
        try:
            yield Supervised(control, reading, child)
        finally:
            control.close()
            os.waitpid(child, 0)
            os.close(reading)
            os.close(stdin)

    return start


@pytest.mark.parametrize("level", ["process", "landlock"])
def test_a_program_is_run_to_its_end(level: sandbox.Level, supervised: Callable[..., Any]) -> None:
    with supervised("print('hello')", level=level) as by:
        assert by.line() == "ready"
        by.control.say("go")
        assert by.line() == "started"
        assert by.said() == "hello\n"
        assert (by.line() or "").startswith("ended 0 - ")
        assert by.line() is None


def test_sockets_are_handed_out_before_and_while_it_runs(supervised: Callable[..., Any]) -> None:
    with supervised("import time; time.sleep(20)") as by:
        assert by.line() == "ready"
        by.control.new_socket(socket.AF_INET).close()
        by.control.say("go")
        assert by.line() == "started"
        by.control.new_socket(socket.AF_INET6).close()
        by.control.say("signal 15")
        assert (by.line() or "").startswith("ended 15 - ")


def test_a_parent_that_goes_before_the_start_is_all(supervised: Callable[..., Any]) -> None:
    with supervised("print('never')") as by:
        assert by.line() == "ready"
        by.control.close()
        assert by.said() == ""


def test_a_parent_that_goes_ends_the_box_and_its_folder(
    supervised: Callable[..., Any], open_folder: Path
) -> None:
    inner = open_folder / "box"
    (inner / "home").mkdir(parents=True)
    with supervised(
        "import time; print('runs', flush=True); time.sleep(20)", change={"temporary": str(inner)}
    ) as by:
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "started"]
        assert by.said() == "runs\n"
        by.control.close()
        assert by.said() == ""
        assert poll(lambda: not inner.exists(), timeout_s=10)


def test_the_parent_may_end_it(supervised: Callable[..., Any]) -> None:
    with supervised("import time; time.sleep(20)") as by:
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "started"]
        by.control.say("end")
        assert (by.line() or "").startswith("ended 9 told ")


def test_what_cannot_be_started_is_told_with_its_stage(supervised: Callable[..., Any]) -> None:
    for change, told in (
        ({"command": ["/nowhere"]}, "unstarted command 2"),
        ({"workdir": "/nowhere"}, "unstarted workdir 2"),
        ({"rlimits": [(resource.RLIMIT_NOFILE, "many")]}, "unstarted limits 0"),
        ({"descriptors": [(0, 150)]}, "unstarted descriptors 9"),
    ):
        with supervised("", change=change) as by:
            assert by.line() == "ready"
            by.control.say("go")
            assert by.line() == told


@pytest.mark.parametrize("cause", ["time", "memory", "processes", "disk"])
def test_a_box_over_its_limits_is_ended(
    cause: str, supervised: Callable[..., Any], open_folder: Path
) -> None:
    limits: dict[str, dict[str, Any]] = {
        "time": {"time_s": 0.1},
        "memory": {"memory_bytes": 1 << 20},
        "processes": {"processes": 3},
        "disk": {"disk_bytes": 1 << 16},
    }
    code = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        time.sleep(20)
with open(os.environ["TMPDIR"] + "/file", "wb") as file:
    file.write(bytes(1_000_000))
time.sleep(20)
"""
    # RLIMIT_DATA would not let an interpreter with so little start.
    with supervised(code, limits=limits[cause], change={"rlimits": []}) as by:
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "started"]
        assert (by.line() or "").startswith(f"ended 9 {cause} ")


def test_what_was_reached_is_told_of_a_program_that_failed(supervised: Callable[..., Any]) -> None:
    code = """
import os, sys, time
with open(os.environ["TMPDIR"] + "/file", "wb") as file:
    file.write(bytes(100_000))
for _ in range(2):
    if os.fork() == 0:
        time.sleep(20)
try:
    while True:
        os.dup(1)
except OSError:
    time.sleep(0.2)
sys.exit(1)
"""
    limits = {"descriptors": 20, "file_bytes": 100_000, "processes": 3}
    with supervised(code, limits=limits) as by:
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "started"]
        words = (by.line() or "").split()
    assert words[:3] == ["ended", "256", "-"]
    assert words[-1] == "descriptors,file,processes"


def test_without_scopes_everything_that_descends_is_ended(
    supervised: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confine, "landlock_version", lambda: 0)
    _assert_swept(supervised)


def test_on_a_system_without_these_calls_the_programs_group_is_ended(
    supervised: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise AttributeError("prctl")

    monkeypatch.setattr(confine, "adopt_orphans", missing)
    monkeypatch.setattr(confine, "die_with_parent", lambda _: missing())
    monkeypatch.delattr(os, "pidfd_open")
    _assert_swept(supervised, daemon=False)
    with supervised("", level="landlock") as by:
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "unstarted confinement 38"]


def _assert_swept(supervised: Callable[..., Any], *, daemon: bool = True) -> None:
    alive, held = os.pipe()
    code = f"""
import os, signal
if os.fork() == 0:
    {daemon} and os.setsid()
    if os.fork() == 0:
        signal.pause()
    os._exit(0)
os.wait()
"""
    with supervised(code, descriptors={3: held}) as by:
        os.close(held)
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "started"]
        assert (by.line() or "").startswith("ended 0 - ")
        assert select.select([alive], [], [], 5)[0]
        assert os.read(alive, 1) == b""
    os.close(alive)


def test_an_account_of_ones_own_is_ended_as_a_whole(
    supervised: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root; an ordinary user cannot take another account, and is told so."""
    monkeypatch.setattr(confine, "landlock_version", lambda: 0)
    alive, held = os.pipe()
    code = "import os, signal\nos.fork() or os.setsid() or os.fork() or signal.pause()\nprint(os.getuid())"
    account = 1_900_000_000
    with supervised(
        code,
        descriptors={3: held},
        change={"account": account, "command": ["/bin/sh", "-c", "setsid sleep 30 & id -u"]},
    ) as by:
        os.close(held)
        by.control.say("go")
        assert by.line() == "ready"
        if os.getuid():
            assert by.line() == "unstarted confinement 1"
        else:
            assert by.line() == "started"
            assert (by.line() or "").startswith("ended 0 - ")
            assert by.said() == f"{account}\n"
            assert select.select([alive], [], [], 5)[0]
    os.close(alive)


def test_a_strict_boxs_view_is_its_own(
    supervised: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a strict box all processes are the box's: here, those of a test that looks at none."""
    monkeypatch.setattr(watch, "inhabitants", lambda: [])
    spec = {"tmpfs": [(str(tmp_path), 10**9)], "folders": []}
    with supervised("raise SystemExit(2)", level="strict", change=spec) as by:
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "started"]
        assert (by.line() or "").startswith("ended 512 - ")
    with supervised(
        "import time; time.sleep(20)", level="strict", change={"tmpfs": [(str(tmp_path), 0)]}
    ) as by:
        by.control.say("go")
        assert [by.line(), by.line()] == ["ready", "started"]
        assert (by.line() or "").startswith("ended 9 disk ")


def test_every_process_of_a_box_but_the_first_is_an_inhabitant() -> None:
    found = watch.inhabitants()
    assert str(os.getpid()) in found
    assert "1" not in found


def test_memory_that_hides_its_share_counts_whole() -> None:
    child = os.fork()
    if child == 0:
        signal.pause()
    assert 0 < watch._proportional(str(child)) <= watch._resident(str(child))
    assert watch._proportional("0") == 0
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_folders_that_cannot_be_listed_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(bytes(5000))
    sizes = sorted(size for size, _ in watch._files(str(tmp_path)))
    assert sizes[-1] in {5000, 4096} or sizes
    assert list(watch._files(str(tmp_path / "none"))) == []
    assert watch._over(str(tmp_path), 1 << 30, 1)
    assert not watch._over(str(tmp_path), 1 << 30, 2)
