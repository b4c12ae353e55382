"""Control groups: a tree of plain files stands in for version 2, this machine's own for what it has."""

import os
from pathlib import Path

import pytest

from labrunner.sandbox import cgroup
from labrunner.sandbox.box import MB, Limits

NAME = f"labrunner-{os.getpid()}-0"
LIMITS = Limits(memory_bytes=100 * MB, disk_bytes=10 * MB, processes=20)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """A tree of version 2 with this process in a folder `own` whose parent may have groups."""
    line = next(
        line for line in Path("/proc/self/cgroup").read_text("ascii").splitlines() if line[:3] == "0::"
    )
    own = tmp_path / line.removeprefix("0::").lstrip("/")
    own.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n", encoding="ascii")
    (own / "cgroup.subtree_control").write_text("memory pids\n", encoding="ascii")
    return tmp_path


def test_a_group_of_version_2_has_the_limits(second: Path) -> None:
    with cgroup.group(LIMITS, name=NAME, root=second) as group:
        assert group is not None
        assert group.version == 2
        assert (group.memory / "memory.max").read_text("ascii") == str(168 * MB)
        assert (group.pids / "pids.max").read_text("ascii") == "24"
        (group.memory / "memory.events").write_text("low 0\noom 1\noom_kill 1\n", encoding="ascii")
        (group.pids / "pids.events").write_text("max 0\n", encoding="ascii")
        assert group.hits() == {"memory"}
        (group.memory / "memory.swap.max").touch()
        cgroup._set(group, LIMITS)
        assert (group.memory / "memory.swap.max").read_text("ascii") == "0"
        group.add(os.getpid())
        assert (group.pids / "cgroup.procs").read_text("ascii") == str(os.getpid())
        # A real group's files are no obstacle to removing it.
        for file in group.memory.iterdir():
            file.unlink()
    assert not group.memory.exists()


def test_a_group_that_cannot_be_made_is_done_without(tmp_path: Path, second: Path) -> None:
    with cgroup.group(LIMITS, name=NAME, root=tmp_path / "none") as group:
        assert group is None
    for file in second.rglob("cgroup.subtree_control"):
        file.write_text("cpu\n", encoding="ascii")
    with cgroup.group(LIMITS, name=NAME, root=second) as group:
        assert group is None


def test_a_name_that_is_taken_is_done_without(tmp_path: Path) -> None:
    for kind in ("memory", "pids"):
        (tmp_path / kind / NAME).mkdir(parents=True)
        (tmp_path / kind / "cgroup.procs").touch()
        (tmp_path / kind / NAME / "cgroup.procs").touch()
    with cgroup.group(LIMITS, name="labrunner-x/y", root=tmp_path) as group:
        assert group is None


def test_groups_of_killed_parents_are_removed(tmp_path: Path) -> None:
    for kind in ("memory", "pids"):
        (tmp_path / kind / "labrunner-999999999-1").mkdir(parents=True)
        (tmp_path / kind / f"labrunner-{os.getpid()}-1").mkdir()
        (tmp_path / kind / "cgroup.procs").touch()
    with cgroup.group(LIMITS, name=NAME, root=tmp_path) as group:
        assert group is not None
        assert group.version == 1
        for file in (*group.memory.iterdir(), *group.pids.iterdir()):
            file.unlink()
    assert not list(tmp_path.glob("*/labrunner-999999999-1"))
    assert len(list(tmp_path.glob("*/labrunner-*-1"))) == 2


def test_what_is_left_in_a_group_is_ended() -> None:
    """Where this process may make groups, that is: elsewhere there is none to be left in."""
    with cgroup.group(LIMITS, name=NAME) as group:
        child = os.fork()
        if child == 0:
            import signal

            signal.pause()
        if group:
            group.add(child)
            assert group.members() == {child}
            group.add(2**22)  # nobody
        else:
            os.kill(child, 9)
    # The group, or the line above, ended it.
    assert os.waitpid(child, 0)[1] == 9
    assert group is None or not group.memory.exists()
