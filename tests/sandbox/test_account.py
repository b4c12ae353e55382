"""Whose account a box has, and how it reaches what is shown to it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.sandbox import account


def test_an_ordinary_user_has_no_other_account(as_user: Callable[[Callable[[], Any]], Any]) -> None:
    uid, number = as_user(lambda: (os.getuid(), account.new_account()))
    if uid == 0:
        assert number is None or number > 60_000
    else:
        assert number is None


def test_the_ids_of_this_machine_decide_which_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    tables: dict[str, str] = {}
    monkeypatch.setattr(account, "_table", lambda kind: tables[kind])
    tables.update(uid="0 0 4294967295\n", gid="0 0 4294967295\n")
    drawn = [account.new_account() for _ in range(20)]
    assert len(set(drawn)) == 20
    assert all(number and 1_879_048_192 <= number <= 2_147_352_575 for number in drawn)
    tables.update(uid="0 100000 65536\n")
    assert 61_184 <= (account.new_account() or 0) <= 65_519
    tables.update(gid="0 1000 1\n")
    assert account.new_account() is None


def test_the_tasks_of_a_user_are_counted() -> None:
    assert account.tasks_of(os.getuid()) >= 1
    assert account.tasks_of(1_900_000_000) == 0


def test_a_folder_is_given_with_all_that_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "box" / "inner").mkdir(parents=True)
    (tmp_path / "box" / "inner" / "file").touch()
    outside = tmp_path / "outside"
    outside.touch()
    (tmp_path / "box" / "link").symlink_to(outside)
    given: list[tuple[str, bool]] = []

    def chown(path: Any, uid: int, gid: int, **more: Any) -> None:
        assert uid == gid == 1_900_000_000
        given.append((Path(path).name, more["follow_symlinks"]))

    monkeypatch.setattr(os, "chown", chown)
    account.give(tmp_path / "box", 1_900_000_000)
    assert sorted(given) == [("box", False), ("file", False), ("inner", False), ("link", False)]


def test_closed_folders_are_found_from_outside(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    inner.chmod(0o700)
    tops = {path for path in tmp_path.parents if not path.stat().st_mode & 0o001}
    found = account.closed_ways([inner / "file", inner / "other", Path("/usr/bin")])
    assert found == ((max(tops, key=lambda path: -len(path.parts)),) if tops else (tmp_path / "closed",))
    assert account.is_closed(inner)
    (inner / "file").touch(mode=0o644)
    assert not account.is_closed(inner / "file")


def test_ways_are_opened_in_mounts_of_ones_own_alone(
    open_folder: Path, as_user: Callable[[Callable[[], Any]], Any]
) -> None:
    closed = open_folder / "closed"
    (closed / "shown").mkdir(parents=True)
    (closed / "shown" / "file").write_text("inside", encoding="utf-8")
    (closed / "alone").write_text("alone", encoding="utf-8")
    (closed / "hidden").touch()
    closed.chmod(0o700)
    paths = [closed / "shown", closed / "alone", Path("/usr")]

    def look() -> list[str]:
        try:
            account.open_ways([closed], paths, 1_900_000_000)
        except PermissionError as error:
            return [str(error)]
        shown = [(closed / "shown" / "file").read_text("utf-8"), (closed / "alone").read_text("utf-8")]
        return [*shown, *sorted(os.listdir(closed))]

    reading, writing = os.pipe()
    root = as_user(os.getuid) == 0
    child = os.fork()
    if child == 0:
        if not root and os.getuid() == 0:
            os.setuid(1_900_000_001)
        os.write(writing, "\n".join(look()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    found = os.read(reading, 1000).decode().split("\n")
    os.close(reading)
    os.close(writing)
    assert found == (["inside", "alone", "alone", "shown"] if root else ["[Errno 1] Operation not permitted"])
    assert sorted(os.listdir(closed)) == ["alone", "hidden", "shown"]
