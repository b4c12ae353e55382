import fcntl
import gzip
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from labrunner.errors import MachineError, UsageError
from labrunner.intake import SubmissionError, opened
from labrunner.intake.refusal import printable

Refusal = Callable[..., str]
KINDS = "a folder, a tar (plain, gzip, bzip2 or xz) or a zip"
RECORD = ".labrunner/workspace.json"


def test_the_copy_is_private_and_gone_with_the_block(tar: Any, tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "work.tgz").write_bytes(gzip.compress(tar.add("a", b"x").end()))
    with opened(tmp_path / "work.tgz") as found:
        [private] = temporary.iterdir()
        assert found.folder.is_relative_to(private)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert (found.folder / "a").read_bytes() == b"x"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("work.tar", "work"),
        ("work.tar.gz", "work"),
        ("work.v2.TGZ", "work.v2"),
        ("work.tar.bz2", "work"),
        ("work.tar.xz", "work"),
        ("work.zip", "work"),
        ("work", "work"),
        ("work.py", "work.py"),
        ("a\x1b[2Jb\n.zip", r"a\x1b[2Jb\n"),
        ("n" * 240, "n" * 199 + "…"),
    ],
)
def test_a_submission_is_named_by_what_was_handed_in(
    file: str, name: str, tar: Any, tmp_path: Path, temporary: Path
) -> None:
    # What an archive is, its first bytes tell.
    (tmp_path / file).write_bytes(tar.add("a").end())
    with opened(tmp_path / file) as found:
        assert found.name == name
    assert list(temporary.iterdir()) == []


def test_a_folder_keeps_its_whole_name(tmp_path: Path, taken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work.zip").mkdir()
    with taken(tmp_path / "work.zip") as found:
        assert found.name == "work.zip"
    monkeypatch.chdir(tmp_path / "work.zip")
    with taken(Path()) as found:
        assert found.name == "work.zip"


def test_a_single_top_folder_is_entered_when_the_record_is_in_it(
    tar: Any, zipped: Any, entry: Any, taken: Any, tree: Any
) -> None:
    inside = [f"top/{RECORD}", "top/a"]
    for archive in (
        zipped(*(entry(name.encode()) for name in inside)),
        tar.add("top/", kind=b"5").add(inside[0]).add(inside[1]).add(".DS_Store").end(),
    ):
        with taken(archive) as found:
            assert found.folder.name == "top"
            assert sorted(tree(found.folder)) == [".labrunner", RECORD, "a"]


@pytest.mark.parametrize(
    "names",
    [
        ["top/a"],
        [f"top/{RECORD}", "beside"],
        [f"top/deeper/{RECORD}"],
        [RECORD, "a"],
        [f"top/{RECORD}/folder"],
        ["a"],
    ],
)
def test_no_other_folder_is_entered(names: list[str], tar: Any, taken: Any, tree: Any) -> None:
    for name in names:
        tar.add(name, b"x")
    with taken(tar.end()) as found:
        assert found.folder.name == "content"
        assert set(names) <= set(tree(found.folder))


def test_a_folder_in_a_folder_is_not_entered(tmp_path: Path, taken: Any) -> None:
    record = tmp_path / "source" / "top" / RECORD
    record.parent.mkdir(parents=True)
    record.touch()
    with taken(tmp_path / "source") as found:
        assert (found.folder / "top" / RECORD).is_file()


@pytest.mark.parametrize(
    "content", [b"", b"x", b"%PDF-1.7\n" * 100, b"PK", b"\x1f", b"\xff" * 2000, b"7z\xbc\xaf"]
)
def test_a_file_that_is_no_archive_is_refused(content: bytes, refusal: Refusal) -> None:
    assert refusal(content) == f"expected {KINDS}, found something else"


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"\x1f\x8b\x08", b"BZh", b"BZh9", b"\xfd7zXZ\0"])
def test_a_mere_beginning_of_an_archive_is_refused(magic: bytes, refusal: Refusal) -> None:
    assert refusal(magic) == "the archive ends too early"
    assert refusal(magic + b"garbage" * 100).startswith("the archive is damaged: ")


def test_a_compressed_file_that_is_no_tar_is_refused(refusal: Refusal) -> None:
    assert refusal(gzip.compress(b"text" * 1000)) == "the archive is damaged: a header has a wrong checksum"
    assert refusal(gzip.compress(b"text")) == "the archive ends too early"


def test_an_archive_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, refusal: Refusal) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(100_000_001)
    assert refusal(path) == "the archive is larger than 100 MB"


def test_a_path_that_cannot_be_opened_is_wrong_usage(tmp_path: Path, temporary: Path) -> None:
    for path, why in [
        (tmp_path / "missing", "No such file or directory"),
        (tmp_path / "a\0b", "embedded null byte"),
        (tmp_path / "\x1b[2J", "No such file or directory"),
    ]:
        with pytest.raises(UsageError) as caught, opened(path):
            pass
        assert str(caught.value) == f"{printable(str(path))} cannot be opened: {why}"
        assert caught.value.hint == f"name {KINDS}"
    assert list(temporary.iterdir()) == []


def test_a_pipe_or_device_is_wrong_usage(tmp_path: Path, temporary: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError) as caught, opened(path):
            pass
        assert str(caught.value).endswith(" is neither a file nor a folder")
    assert list(temporary.iterdir()) == []


def test_a_refusal_names_the_submission_and_the_entry(tar: Any, tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "work.tar").write_bytes(tar.add("link", kind=b"2").end())
    with pytest.raises(SubmissionError) as caught, opened(tmp_path / "work.tar"):
        pass
    assert str(caught.value) == f"{tmp_path / 'work.tar'}: 'link' is a link"
    assert caught.value.hint == "take it out of the submission, and hand that in again"
    assert list(temporary.iterdir()) == []


def test_an_error_inside_the_block_is_left_alone(tar: Any, tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "work.tar").write_bytes(tar.end())
    mine = SubmissionError("mine")
    with pytest.raises(SubmissionError) as caught, opened(tmp_path / "work.tar"):
        raise mine
    assert caught.value is mine
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_behind_is_removed_and_what_is_in_use_is_not(
    tar: Any, tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "work.tar").write_bytes(tar.end())
    for name in ("old", "used"):
        (temporary / f"labrunner-submission-{name}" / "content").mkdir(parents=True)
    (temporary / "labrunner-submission-file").touch()
    (temporary / "other").mkdir()
    lock = os.open(temporary / "labrunner-submission-used", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with opened(tmp_path / "work.tar") as found:
        names = {path.name for path in temporary.iterdir()} - {found.folder.parent.name}
        assert names == {"labrunner-submission-used", "labrunner-submission-file", "other"}
        with opened(tmp_path / "work.tar") as second:
            assert found.folder.is_dir()
            assert second.folder != found.folder
    os.close(lock)


def test_another_users_leftovers_are_left_alone(
    tar: Any, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work.tar").write_bytes(tar.end())
    (temporary / "labrunner-submission-other").mkdir()
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with opened(tmp_path / "work.tar"):
        assert (temporary / "labrunner-submission-other").is_dir()


def test_whatever_a_program_made_of_its_copy_is_removed(tar: Any, tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "work.tar").write_bytes(tar.add("a", b"x").end())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept")
    with opened(tmp_path / "work.tar") as found:
        (found.folder / "link").symlink_to(tmp_path / "outside")
        (found.folder / "closed").mkdir()
        (found.folder / "closed" / "x").touch()
        (found.folder / "closed").chmod(0)
        descriptor = os.open(found.folder, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("deep", dir_fd=descriptor)
            deeper = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = deeper
        os.close(descriptor)
    assert list(temporary.iterdir()) == []
    assert (tmp_path / "outside" / "kept").read_text() == "kept"


def test_a_machine_without_a_folder_for_temporary_files_is_at_fault(
    tar: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work.tar").write_bytes(tar.end())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(MachineError) as caught, opened(tmp_path / "work.tar"):
        pass
    place = tmp_path / "missing"
    assert str(caught.value) == (
        f"{place}: no folder for a submission can be made in it: No such file or directory"
    )
    assert caught.value.hint == "make space in it, or set TMPDIR to a folder you may write to"


def test_every_cut_and_every_spoilt_byte_of_an_archive_is_refused_or_harmless(
    tar: Any, zipped: Any, entry: Any, tmp_path: Path, temporary: Path
) -> None:
    path = tmp_path / "archive"
    packed_tar = gzip.compress(tar.add("folder/a.py", b"print(1)\n" * 20).end(), mtime=0)
    for archive in (packed_tar, zipped(entry(b"folder/a.py", b"print(1)\n" * 20))):
        spoilt = [archive[:at] for at in range(len(archive))]
        spoilt += [
            archive[:at] + bytes([archive[at] ^ 0x55]) + archive[at + 1 :] for at in range(len(archive))
        ]
        for content in spoilt:
            path.write_bytes(content)
            with suppress(SubmissionError), opened(path) as found:
                for inside in found.folder.rglob("*"):
                    assert inside.is_dir() or inside.read_bytes() == b"print(1)\n" * 20
    assert list(temporary.iterdir()) == []
