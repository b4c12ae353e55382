"""Folders that a hostile program left."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.sandbox.removal import remove


def test_a_hostile_folder_is_removed_and_what_it_points_to_is_not(
    tmp_path: Path, as_user: Callable[[Callable[[], Any]], Any], open_folder: Path
) -> None:
    open_folder.chmod(0o777)
    kept = tmp_path / "kept"
    kept.write_text("kept", encoding="utf-8")

    def made_and_removed() -> bool:
        folder = open_folder / "box"
        folder.mkdir()
        (folder / "file").touch(mode=0o000)
        (folder / "link").symlink_to(kept)
        (folder / "links").symlink_to(kept.parent, target_is_directory=True)
        os.mkfifo(folder / "fifo")
        (folder / "deep" / "closed").mkdir(parents=True)
        (folder / "deep" / "closed" / "file").touch()
        (folder / "deep" / "closed").chmod(0o000)
        (folder / "deep").chmod(0o555)
        (folder / "a\nname\x1b[2J").touch()
        remove(folder)
        return folder.exists()

    assert as_user(made_and_removed) is False
    assert kept.read_text(encoding="utf-8") == "kept"


def test_no_depth_is_too_much(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    remove(folder)
    assert not folder.exists()


def test_a_link_is_not_taken_for_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="link"):
        remove(tmp_path / "link")
    assert (tmp_path / "real").is_dir()
