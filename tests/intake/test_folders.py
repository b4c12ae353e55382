import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.intake import SubmissionError, folders
from labrunner.intake.copy import Copy
from labrunner.intake.limits import USUAL
from labrunner.intake.place import _remove

Refusal = Callable[..., str]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def test_a_folder_is_copied(source: Path, taken: Any, tree: Any) -> None:
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "c").write_bytes(os.urandom(200_000))
    (source / "run.sh").write_bytes(b"#!/bin/sh\n")
    (source / "run.sh").chmod(0o777)
    with taken(source) as found:
        assert tree(found.folder) == tree(source)
        assert (found.folder / "run.sh").stat().st_mode == 0o100700
        assert (found.folder / "a" / "c").stat().st_mode == 0o100600
        assert (found.folder / "a").stat().st_mode == 0o040700
        (found.folder / "a" / "c").write_bytes(b"changed")
    assert len((source / "a" / "c").read_bytes()) == 200_000


def test_a_copy_shares_no_file_with_the_folder(source: Path, taken: Any) -> None:
    (source / "a").write_bytes(b"x")
    (source / "b").hardlink_to(source / "a")
    with taken(source) as found:
        assert (found.folder / "a").stat().st_nlink == 1
        assert (found.folder / "b").read_bytes() == b"x"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a", "missing", "."])
def test_a_link_is_refused_wherever_it_points(source: Path, target: str, refusal: Refusal) -> None:
    (source / "a").write_bytes(b"x")
    (source / "b").mkdir()
    (source / "b" / "link").symlink_to(target)
    assert refusal(source) == "'b/link' is a link"


def test_a_link_to_a_folder_is_not_followed(source: Path, tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (source / "link").symlink_to(tmp_path / "outside")
    assert refusal(source) == "'link' is a link"


def test_the_folder_itself_may_be_named_by_a_link(source: Path, tmp_path: Path, taken: Any) -> None:
    (source / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to(source)
    with taken(tmp_path / "link") as found:
        assert (found.folder / "a").read_bytes() == b"x"
        assert found.name == "link"


def test_a_pipe_and_a_socket_are_refused(source: Path, refusal: Refusal) -> None:
    os.mkfifo(source / "pipe")
    assert refusal(source) == "'pipe' is a pipe"
    (source / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket"))
        assert refusal(source) == "'socket' is a socket"


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_a_setuid_or_setgid_file_is_refused_and_such_a_folder_is_not(
    source: Path, mode: int, taken: Any, refusal: Refusal
) -> None:
    (source / "shared").mkdir()
    (source / "shared").chmod(0o2775)
    with taken(source) as found:
        assert (found.folder / "shared").stat().st_mode == 0o040700
    (source / "evil").write_bytes(b"x")
    (source / "evil").chmod(mode)
    assert refusal(source) == "'evil' would run with its owner's rights (setuid or setgid)"


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        (b"a\nb", r"a\nb", "has an invisible or control character in its name"),
        (b"\x1b[2J", r"\x1b[2J", "has an invisible or control character in its name"),
        (b"a\\b", r"a\b", "has a backslash in its name"),
        (b"caf\xe9", r"caf\xe9", "has a name that is not UTF-8"),
        (b"-rf", "-rf", "has a name that begins with a dash, as an option does"),
    ],
)
def test_a_hostile_name_is_refused(source: Path, name: bytes, shown: str, why: str, refusal: Refusal) -> None:
    (source / os.fsdecode(name)).mkdir()
    assert refusal(source) == f"'{shown}' {why}"


def test_two_names_that_are_one_on_other_systems_are_refused(source: Path, refusal: Refusal) -> None:
    (source / "README").write_bytes(b"x")
    (source / "readme").write_bytes(b"x")
    why = "'readme' and 'README' are one name where case or Unicode form do not count"
    assert refusal(source) == why


def test_what_tools_left_behind_is_not_even_entered(source: Path, taken: Any, tree: Any) -> None:
    (source / ".venv").symlink_to("/")
    (source / "node_modules" / ".bin").mkdir(parents=True)
    (source / "node_modules" / ".bin" / "x").symlink_to("/etc/passwd")
    (source / "a.py").write_bytes(b"x")
    with taken(source) as found:
        assert tree(found.folder) == {"a.py": b"x"}
        assert found.left_out == 2


def test_the_size_of_files_and_their_number_are_bounded(source: Path, refusal: Refusal) -> None:
    with (source / "sparse").open("wb") as file:
        file.truncate(10_000_000_000)
    assert refusal(source) == "'sparse' is larger than 50 MB"
    (source / "sparse").write_bytes(bytes(1500))
    assert refusal(source, file_bytes=1000) == "'sparse' is larger than 1 000 bytes"
    (source / "second").write_bytes(bytes(1500))
    assert refusal(source, total_bytes=2500) == "the submission holds more than 2 500 bytes"
    for number in range(60):
        (source / str(number)).touch()
    assert refusal(source, entries=50) == "the submission holds more than 50 files and folders"
    assert refusal(source, seen=55) == "the submission holds more than 55 files and folders"
    (source / "__pycache__").mkdir()
    assert refusal(source, seen=62) == "the submission holds more than 62 files and folders"


def test_what_is_counted_includes_every_folder(source: Path, refusal: Refusal) -> None:
    for folder in "abc":
        (source / folder / "__pycache__").mkdir(parents=True)
    assert refusal(source, seen=5) == "the submission holds more than 5 files and folders"


def test_a_folder_of_ten_thousand_levels_is_refused(source: Path, refusal: Refusal) -> None:
    descriptor = os.open(source, os.O_RDONLY)
    for _ in range(10_000):
        os.mkdir("a", dir_fd=descriptor)
        deeper = os.open("a", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    try:
        assert refusal(source) == f"'{'a/' * 64}a' lies more than 64 folders deep"
    finally:
        _remove(source)


def test_hooks_of_git_cannot_be_executed(source: Path, taken: Any, tmp_path: Path) -> None:
    hook = source / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned\n")
    hook.chmod(0o755)
    (source / ".git" / "config").write_text(f'[core]\nfsmonitor = "touch {tmp_path}/pwned"\n')
    with taken(source) as found:
        assert (found.folder / ".git/hooks/post-index-change").stat().st_mode == 0o100600
        assert (found.folder / ".git/config").read_text() == (source / ".git" / "config").read_text()
    assert not (tmp_path / "pwned").exists()


def test_a_file_of_another_user_under_a_second_name_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "a").write_bytes(b"secret")
    (source / "b").hardlink_to(source / "a")
    descriptor = os.open(source / "b", os.O_RDONLY)
    copy = Copy(tmp_path, USUAL)
    with pytest.raises(SubmissionError, match="'b' is a second name of another user's file"):
        folders._copy_file(descriptor, ("b",), os.getuid() + 1, copy)
    os.close(descriptor)


def test_a_name_that_became_something_else_is_refused(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "pipe")
    descriptor = os.open(source / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(SubmissionError, match="'a' was changed while it was read"):
        folders._copy_file(descriptor, ("a",), os.getuid(), Copy(tmp_path, USUAL))
    os.close(descriptor)


def test_a_link_put_in_a_files_place_is_never_followed(
    source: Path, tmp_path: Path, taken: Any, tree: Any
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a").write_text("secret")
    stop = threading.Event()

    def swap() -> None:
        staged = tmp_path / "staged"
        while not stop.is_set():
            for name in ("file", "folder/a"):
                staged.symlink_to(secret / "a")
                staged.replace(source / name)
                staged.write_text("honest")
                staged.replace(source / name)

    (source / "folder").mkdir()
    for name in ("file", "folder/a"):
        (source / name).write_text("honest")
    thread = threading.Thread(target=swap)
    thread.start()
    outcomes = set()
    try:
        for _ in range(300):
            try:
                with taken(source) as found:
                    outcomes |= set(tree(found.folder).values())
            except SubmissionError as error:
                outcomes.add(str(error).rpartition("' ")[2])
    finally:
        stop.set()
        thread.join()
    assert b"secret" not in outcomes
    assert b"honest" in outcomes
    assert outcomes <= {b"honest", None, "is a link", "cannot be read: Too many levels of symbolic links"}


def test_a_folder_swapped_for_a_link_is_never_entered(source: Path, tmp_path: Path, taken: Any) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "secret").write_text("secret")
    (source / "folder").mkdir()
    stop = threading.Event()

    def swap() -> None:
        spare = tmp_path / "spare"
        while not stop.is_set():
            (source / "folder").rename(spare)
            (source / "folder").symlink_to(secret)
            (source / "folder").unlink()
            spare.rename(source / "folder")

    thread = threading.Thread(target=swap)
    thread.start()
    seen, refused = set(), set()
    try:
        for _ in range(300):
            try:
                with taken(source) as found:
                    seen |= {path.name for path in found.folder.rglob("*")}
            except SubmissionError as error:
                refused.add(str(error).rpartition(": '")[2].partition("'")[0])
    finally:
        stop.set()
        thread.join()
    assert seen <= {"folder"}
    assert refused <= {"folder"}


def test_a_file_that_may_not_be_read_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "a").write_bytes(b"x")
    (source / "a").chmod(0)
    source.chmod(0o755)
    descriptor = os.open(source, os.O_RDONLY)
    user = os.geteuid()
    # The superuser may read everything, so somebody else tries.
    os.seteuid(user or 65_534)
    try:
        with pytest.raises(SubmissionError, match="'a' may not be read"):
            folders.copy_folder(descriptor, Copy(tmp_path, USUAL), USUAL)
    finally:
        os.seteuid(user)
    os.close(descriptor)


def test_a_file_that_cannot_be_read_is_refused() -> None:
    # The kernel refuses to read a process's memory at address zero.
    descriptor = os.open("/proc/self/mem", os.O_RDONLY)
    with pytest.raises(SubmissionError, match="'mem' cannot be read: Input/output error"):
        list(folders._chunks(descriptor, ("mem",)))
    os.close(descriptor)
