import errno
import fcntl
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labrunner import workspace
from labrunner.errors import AuthoringError, LabrunnerError, MachineError, UsageError
from labrunner.model import FileRoles, Lab, Limits, Stage, Workspace

RECORD = Path(".labrunner", "workspace.json")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    folder = tmp_path / "catalogue" / "labs" / "shop"
    page = folder / "stages" / "lookups.md"
    for name in ("README.md", "stages/lookups.md", "starter/indexes.sql", "starter/queries/a.sql"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    return Lab(
        slug="shop",
        title="Shop",
        topic="Indexes",
        minutes=90,
        difficulty="beginner",
        teaches=("plans",),
        requires=(),
        interface="sql",
        services=(),
        stages=(Stage("lookups", "Lookups", page, tmp_path / "test_lookups.py", ()),),
        files=FileRoles(("indexes.sql", "queries/*.sql")),
        limits=Limits(),
        folder=folder,
        grader=tmp_path / "catalogue" / "graders" / "shop",
        hash="0123456789abcdef",
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


EVERYTHING = {
    ".labrunner/workspace.json",
    "README.md",
    "indexes.sql",
    "queries/a.sql",
    "stages/lookups.md",
}


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def refused(lab: Lab, target: Path, kind: type[LabrunnerError] = UsageError) -> str:
    with pytest.raises(kind) as caught:
        workspace.create(lab, target)
    assert "--to" in caught.value.hint
    return str(caught.value)


# ── making ──────────────────────────────────────────────────────────────────────────────────────


def test_a_new_workspace_is_whole_and_alone(lab: Lab, home: Path) -> None:
    made = workspace.create(lab, home / "mine")
    assert made == Workspace(home / "mine", "shop", "0123456789abcdef")
    assert names(home / "mine") == EVERYTHING
    assert json.loads((home / "mine" / RECORD).read_text()) == {
        "format": 1,
        "lab": "shop",
        "lab_hash": "0123456789abcdef",
    }
    assert [entry.name for entry in home.iterdir()] == ["mine"]


def test_a_new_workspace_has_the_usual_permissions(lab: Lab, home: Path) -> None:
    before = os.umask(0o022)
    try:
        workspace.create(lab, home / "mine")
    finally:
        os.umask(before)
    assert stat.S_IMODE((home / "mine").stat().st_mode) == 0o755
    assert stat.S_IMODE((home / "mine" / "indexes.sql").stat().st_mode) == 0o644


def test_missing_parents_are_made(lab: Lab, home: Path) -> None:
    workspace.create(lab, home / "a" / "b" / "mine")
    assert names(home / "a" / "b" / "mine") == EVERYTHING


def test_a_relative_path_is_taken_from_the_current_folder(
    lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    assert workspace.create(lab, Path("x/../mine")).folder == home / "mine"
    assert names(home) == {f"mine/{name}" for name in EVERYTHING}


def test_an_empty_folder_is_filled_and_stays_the_same_folder(
    lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    before = home.stat().st_ino
    assert workspace.create(lab, Path()).folder == home
    assert names(Path()) == EVERYTHING
    assert home.stat().st_ino == before


@pytest.mark.parametrize("kind", ["file", "hidden file", "workspace"])
def test_a_folder_with_anything_in_it_is_refused_and_kept(lab: Lab, home: Path, kind: str) -> None:
    if kind == "workspace":
        workspace.create(lab, home / "mine")
    else:
        (home / "mine").mkdir()
        (home / "mine" / ("x" if kind == "file" else ".x")).write_text("")
    before = names(home)
    assert refused(lab, home / "mine") == f"{home / 'mine'} is not empty"
    assert names(home) == before


def test_a_file_is_refused_and_kept(lab: Lab, home: Path) -> None:
    (home / "mine").write_text("precious")
    assert refused(lab, home / "mine") == f"{home / 'mine'} is not a folder"
    assert (home / "mine").read_text() == "precious"


@pytest.mark.parametrize("kind", ["folder", "nothing", "itself"])
def test_a_link_is_refused(lab: Lab, home: Path, kind: str) -> None:
    (home / "empty").mkdir()
    aim = {"folder": "empty", "nothing": "no-such", "itself": "mine"}[kind]
    (home / "mine").symlink_to(aim)
    assert refused(lab, home / "mine") == f"{home / 'mine'} is a link"
    assert names(home) - {"mine"} == set()


def test_a_parent_may_be_a_link(lab: Lab, home: Path) -> None:
    (home / "real").mkdir()
    (home / "link").symlink_to("real")
    assert workspace.create(lab, home / "link" / "mine").folder == home / "real" / "mine"


def test_a_parent_that_is_a_circle_of_links_is_refused(lab: Lab, home: Path) -> None:
    (home / "link").symlink_to("link")
    assert refused(lab, home / "link" / "mine").startswith(f"{home / 'link' / 'mine'} cannot be made: ")


def test_a_parent_that_is_a_file_is_refused(lab: Lab, home: Path) -> None:
    (home / "file").write_text("")
    message = f"{home / 'file' / 'a' / 'mine'} cannot be made: Not a directory"
    assert refused(lab, home / "file" / "a" / "mine") == message


def test_a_name_that_is_too_long_is_refused_and_no_parent_is_left(lab: Lab, home: Path) -> None:
    target = home / "a" / ("x" * 300)
    assert refused(lab, target) == f"{target} cannot be made: File name too long"
    assert list(home.iterdir()) == []


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Without the right to write everywhere, which root has."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_may_not_be_written_is_refused(lab: Lab, home: Path, mode: int) -> None:
    home.chmod(mode)
    try:
        with ordinary_user():
            assert refused(lab, home / "mine") == f"{home / 'mine'} may not be written: Permission denied"
    finally:
        home.chmod(0o755)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_is_this_machines_fault_and_leaves_nothing(lab: Lab, home: Path, *, there: bool) -> None:
    (lab.folder / "starter" / "indexes.sql").write_bytes(b"x" * 100_000)
    if there:
        (home / "a").mkdir()
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        message = refused(lab, home / "a", MachineError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert message == f"{home / 'a'} could not be written: {os.strerror(errno.EFBIG)}"
    assert [entry.name for entry in home.rglob("*")] == (["a"] if there else [])


@pytest.mark.parametrize("there", [True, False])
def test_a_starter_that_is_refused_leaves_nothing(lab: Lab, home: Path, *, there: bool) -> None:
    (lab.folder / "starter" / "strange").write_text("")
    if there:
        (home / "a").mkdir()
    with pytest.raises(AuthoringError, match="no pattern in `files`"):
        workspace.create(lab, home / "a" / "mine" if not there else home / "a")
    assert [entry.name for entry in home.rglob("*")] == (["a"] if there else [])


# ── interrupted and concurrent starts ───────────────────────────────────────────────────────────


KILLED = """
import os, signal, sys
from pathlib import Path, PosixPath
from labrunner import workspace
from labrunner.model import *

def die(event, arguments):
    if event == {event!r} and {word!r} in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

lab = {lab!r}
target = {target!r}
sys.addaudithook(die)
workspace.create(lab, target)
"""


def start_and_be_killed(lab: Lab, target: Path, event: str, word: str) -> None:
    """Make the workspace in a process that SIGKILL ends just before it opens, writes or renames `word`."""
    script = KILLED.format(event=event, word=word, lab=lab, target=target)
    ended = subprocess.run([sys.executable, "-I", "-c", script], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    ("event", "word"),
    [
        ("os.mkdir", "/workspace"),
        ("open", "/workspace/indexes.sql"),
        ("open", "/workspace.json"),
        ("os.rename", "/workspace"),
    ],
)
def test_what_a_killed_start_left_is_gone_after_the_next(
    lab: Lab, home: Path, event: str, word: str, *, there: bool
) -> None:
    if there:
        (home / "mine").mkdir()
    start_and_be_killed(lab, home / "mine", event, word)
    assert not (home / "mine" / RECORD).exists()
    assert [path.name for path in home.rglob("*") if path.name.startswith(".labrunner-start-")]
    workspace.create(lab, home / "mine")
    assert names(home / "mine") == EVERYTHING
    assert [entry.name for entry in home.iterdir()] == ["mine"]


def test_a_start_killed_while_it_moved_files_up_is_named_and_what_is_there_is_kept(
    lab: Lab, home: Path
) -> None:
    start_and_be_killed(lab, home, "os.rename", "/workspace/.labrunner")
    assert (home / "indexes.sql").exists()
    message = f"{home} is not empty: another start is at work in it, or was interrupted"
    assert refused(lab, home) == message
    assert (home / "indexes.sql").exists()


def test_a_start_at_work_is_not_disturbed(lab: Lab, home: Path) -> None:
    (home / ".labrunner-start-live").mkdir()
    lock = os.open(home / ".labrunner-start-live", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        workspace.create(lab, home / "mine")
        assert sorted(entry.name for entry in home.iterdir()) == [".labrunner-start-live", "mine"]
        (home / "mine").rename(home.parent / "mine")
        assert refused(lab, home).endswith("is not empty: another start is at work in it, or was interrupted")
    finally:
        os.close(lock)


def test_a_link_named_like_a_leftover_is_not_followed(lab: Lab, home: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("")
    (home / ".labrunner-start-x").symlink_to(tmp_path / "precious")
    workspace.create(lab, home / "mine")
    assert names(tmp_path / "precious") == {"file"}


def test_a_conflict_while_files_move_up_takes_everything_back(
    lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def someone_writes_first(source: Path, target: Path) -> Path:
        if target == home / "stages":
            target.write_text("theirs")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", someone_writes_first)
    assert refused(lab, home) == f"{home} cannot be made: Not a directory"
    assert names(home) == {"stages"}


def test_of_two_starts_at_once_one_wins_and_the_other_is_refused(lab: Lab, home: Path) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def start() -> None:
        together.wait(timeout=30)
        try:
            workspace.create(lab, home / "mine")
        except LabrunnerError as error:
            outcomes.append(type(error).__name__)
        else:
            outcomes.append("made")

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert "made" in outcomes
    assert outcomes.count("made") == 1
    assert names(home) == {f"mine/{name}" for name in EVERYTHING}


# ── finding ─────────────────────────────────────────────────────────────────────────────────────


def not_found(path: Path) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        workspace.find(path)
    return str(caught.value), caught.value.hint


@pytest.mark.parametrize("below", ["", "queries", "queries/a.sql", ".labrunner"])
def test_a_workspace_is_found_from_anywhere_inside(lab: Lab, home: Path, below: str) -> None:
    made = workspace.create(lab, home / "mine")
    assert workspace.find(home / "mine" / below) == made


def test_a_workspace_is_found_from_a_relative_path_and_through_a_link(
    lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = workspace.create(lab, home / "mine")
    (home / "link").symlink_to("mine")
    monkeypatch.chdir(home / "mine" / "queries")
    assert workspace.find(Path()) == made
    assert workspace.find(Path("../../link")) == made


def test_the_nearest_workspace_counts(lab: Lab, home: Path) -> None:
    workspace.create(lab, home / "outer")
    inner = workspace.create(lab, home / "outer" / "inner")
    assert workspace.find(home / "outer" / "inner" / "queries") == inner


def test_a_folder_outside_of_any_workspace_is_refused(home: Path) -> None:
    assert not_found(home) == (
        f"{home} is not in a workspace",
        "make one with `labrunner start SLUG`, and run the command inside of it",
    )


def test_a_missing_path_is_refused(home: Path) -> None:
    message = f"{home / 'no'} cannot be opened: No such file or directory"
    assert not_found(home / "no") == (message, "name an existing folder")


def test_paths_that_cannot_be_followed_are_refused(home: Path) -> None:
    (home / "link").symlink_to("link")
    assert not_found(home / "link")[0].startswith(f"{home / 'link'} cannot be opened: ")
    assert not_found(home / "a\0b")[0].endswith("cannot be opened: embedded null byte")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b"\xff", "expected JSON"),
        (b"[" * 60_000, "expected JSON"),
        (b'{"format": ' + b"1" * 5000 + b"}", "expected JSON"),
        (b"[]", "expected a JSON object"),
        (b"{}", "expected format 1"),
        (b'{"format": 0}', "expected format 1"),
        (b'{"format": "1"}', "expected format 1"),
        (b'{"format": true}', "expected format 1"),
        (b'{"format": NaN}', "expected format 1"),
        (b'{"format": 1, "lab": 1, "lab_hash": ""}', "expected the texts `lab` and `lab_hash`"),
        (b'{"format": 1, "lab": "shop"}', "expected the texts `lab` and `lab_hash`"),
        (b" " * 70_000, "expected a plain file of at most 65536 bytes"),
    ],
)
def test_a_damaged_record_is_refused_with_file_and_remedy(
    lab: Lab, home: Path, content: bytes, complaint: str
) -> None:
    workspace.create(lab, home / "mine")
    (home / "mine" / RECORD).write_bytes(content)
    assert not_found(home / "mine") == (
        f"{home / 'mine' / RECORD} is damaged: {complaint}",
        "make a new workspace with `labrunner start SLUG --to DIR`, and copy your files into it",
    )


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_a_record_that_is_no_plain_file_is_refused(home: Path, kind: str) -> None:
    record = home / RECORD
    record.parent.mkdir()
    if kind == "folder":
        record.mkdir()
    elif kind == "pipe":
        os.mkfifo(record)
    else:
        record.symlink_to("/dev/zero")
    assert not_found(home)[0] == f"{record} is damaged: expected a plain file of at most 65536 bytes"


def test_a_record_that_may_not_be_read_is_refused() -> None:
    # pytest's own folders are closed to the ordinary user that root becomes here.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        (folder / RECORD).parent.mkdir()
        (folder / RECORD).write_text("{}")
        (folder / RECORD).chmod(0)
        with ordinary_user():
            assert not_found(folder)[0] == f"{folder / RECORD} is damaged: Permission denied"


def test_a_newer_record_is_refused(lab: Lab, home: Path) -> None:
    workspace.create(lab, home / "mine")
    (home / "mine" / RECORD).write_text('{"format": 2, "lab": {}}')
    record = home / "mine" / RECORD
    assert not_found(home / "mine") == (
        f"{record}: made by a newer labrunner (format 2, this one reads 1)",
        "upgrade labrunner",
    )
