import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Refusal = Callable[..., str]
MISFIT = "the archive is damaged: its directory and its content do not fit each other"
ZIP64 = "the archive is a ZIP64, a form that only archives of 4 GB or 65 535 entries need"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_taken_in(method: int, tmp_path: Path, taken: Any, tree: Any) -> None:
    packed = tmp_path / "packed"
    content = os.urandom(200_000)
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a/b.bin", content)
        archive.writestr("a/empty", b"")
        archive.mkdir("c")
        program = zipfile.ZipInfo("run.sh")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, "#!/bin/sh\n")
        archive.comment = b"PK\5\6 is a comment of 40 characters......"
    with taken(packed) as found:
        assert tree(found.folder) == {
            "a": None,
            "a/b.bin": content,
            "a/empty": b"",
            "c": None,
            "run.sh": b"#!/bin/sh\n",
        }
        assert (found.folder / "run.sh").stat().st_mode == 0o100700
        assert (found.folder / "a/b.bin").stat().st_mode == 0o100600


def test_an_empty_zip_is_an_empty_submission(zipped: Any, taken: Any, tree: Any) -> None:
    with taken(zipped()) as found:
        assert tree(found.folder) == {}


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (0o120777, "is a link"),
        (0o010644, "is a pipe"),
        (0o020644, "is a device"),
        (0o060644, "is a device"),
        (0o140644, "is a socket"),
        (0o030644, "is neither a file nor a folder"),
        (0o104755, "would run with its owner's rights (setuid or setgid)"),
        (0o102755, "would run with its owner's rights (setuid or setgid)"),
        (0o040755, "is both a file and a folder"),
    ],
)
def test_an_entry_that_is_no_plain_file_is_refused(
    mode: int, why: str, zipped: Any, entry: Any, refusal: Refusal
) -> None:
    assert refusal(zipped(entry(b"ok"), entry(b"evil", b"/etc/passwd", mode=mode))) == f"'evil' {why}"


def test_a_folder_is_a_folder_by_its_name_and_its_mode(
    zipped: Any, entry: Any, taken: Any, tree: Any, refusal: Refusal
) -> None:
    with taken(zipped(entry(b"a/", mode=0o042777), entry(b"b/", mode=0), entry(b"c", mode=0))) as found:
        assert tree(found.folder) == {"a": None, "b": None, "c": b""}
        assert stat.S_IMODE((found.folder / "a").stat().st_mode) == 0o700
    assert refusal(zipped(entry(b"a/", mode=0o100644))) == "'a/' is both a file and a folder"
    assert refusal(zipped(entry(b"a/", b"x", mode=0o040755))) == "'a/' is a folder with content"


@pytest.mark.parametrize(
    ("flags", "method", "why"),
    [
        (0x0001, 8, "is encrypted"),
        (0x0041, 8, "is encrypted"),
        (0x2000, 8, "is encrypted"),
        (0x0020, 8, "is packed in a way that few programs know (method 8)"),
        (0, 9, "is packed in a way that few programs know (method 9)"),
        (0, 12, "is packed in a way that few programs know (method 12)"),
        (0, 14, "is packed in a way that few programs know (method 14)"),
        (0, 93, "is packed in a way that few programs know (method 93)"),
        (0, 99, "is packed in a way that few programs know (method 99)"),
    ],
)
def test_an_encrypted_or_oddly_packed_entry_is_refused(
    flags: int, method: int, why: str, zipped: Any, entry: Any, refusal: Refusal
) -> None:
    assert refusal(zipped(entry(b"a", b"x", flags=flags, method=method))) == f"'a' {why}"


@pytest.mark.parametrize("method", [0, 8])
def test_a_wrong_checksum_is_refused(method: int, zipped: Any, entry: Any, refusal: Refusal) -> None:
    archive = zipped(entry(b"a", b"content", crc=1234, method=method))
    assert refusal(archive) == "'a' is damaged: its checksum is wrong"


@pytest.mark.parametrize("method", [0, 8])
def test_a_false_size_is_refused(method: int, zipped: Any, entry: Any, refusal: Refusal) -> None:
    small = zipped(entry(b"a", b"content", size=3, method=method))
    assert refusal(small) == "'a' is larger than the archive says"
    large = zipped(entry(b"a", b"content", size=30, method=method))
    assert refusal(large) == "'a' is damaged: its checksum is wrong"
    assert refusal(zipped(entry(b"a", size=50_000_001))) == "'a' is larger than 50 MB"


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (b"", "is damaged: it ends too early"),
        (zlib.compress(b"content")[2:5], "is damaged: it ends too early"),
        (b"\xff\xff\xff", "is damaged: Error -3 while decompressing data: invalid block type"),
        (zlib.compress(b"content")[2:-4] + b"more", "is damaged: something stands behind its end"),
        (zlib.compress(b"content")[2:-4] + bytes(70_000), "is damaged: something stands behind its end"),
    ],
)
def test_a_damaged_content_is_refused(
    packed: bytes, why: str, zipped: Any, entry: Any, refusal: Refusal
) -> None:
    assert refusal(zipped(entry(b"a", b"content", packed=packed))) == f"'a' {why}"


def test_entries_that_share_content_are_refused(zipped: Any, entry: Any, refusal: Refusal) -> None:
    first = entry(b"a", b"x" * 100)
    whole = entry(b"b", packed=b"", offset=0, local_name=b"")
    assert refusal(zipped(first, whole)) == "'b' shares its content with another entry"
    quoting = entry(b"a", packed=zipped(entry(b"b"))[:60])
    assert refusal(zipped(quoting, entry(b"b", offset=31))) == "'b' shares its content with another entry"


@pytest.mark.parametrize("told", [b"b", b"a.py", b"../a"])
def test_an_entry_that_is_told_in_two_ways_is_refused(
    told: bytes, zipped: Any, entry: Any, refusal: Refusal
) -> None:
    assert refusal(zipped(entry(b"a", b"x", local_name=told))) == "'a' is described in two ways"


def test_a_second_method_or_encryption_in_the_entrys_own_header_is_refused(
    zipped: Any, entry: Any, refusal: Refusal
) -> None:
    archive = bytearray(zipped(entry(b"a", b"x")))
    for at in (6, 8):
        spoilt = bytearray(archive)
        spoilt[at] ^= 1
        assert refusal(bytes(spoilt)) == "'a' is described in two ways"


def test_a_truncated_zip_is_refused(zipped: Any, entry: Any, refusal: Refusal) -> None:
    archive = zipped(entry(b"a", b"x" * 100), entry(b"b", b"y"))
    for cut in (4, 30, 50, len(archive) // 2, len(archive) - 1):
        assert refusal(archive[:cut]) == "the archive ends too early, or has something behind its end"


def test_anything_behind_or_between_is_refused(zipped: Any, entry: Any, refusal: Refusal) -> None:
    archive = zipped(entry(b"a", b"x"))
    assert refusal(archive + b"garbage") == "the archive ends too early, or has something behind its end"
    # Two zips in one: readers that search from the end see another one than those that read from the start.
    assert refusal(archive + zipped(entry(b"b", b"y"))) == MISFIT


@pytest.mark.parametrize(
    "end",
    [
        {"disk": 1},
        {"here": 5},
        {"count": 2, "here": 2},
        {"count": 0, "here": 0},
        {"size": 10},
        {"offset": 2},
        {"size": 20, "offset": 59},
    ],
)
def test_a_directory_that_misleads_is_refused(
    end: dict[str, int], zipped: Any, entry: Any, refusal: Refusal
) -> None:
    assert refusal(zipped(entry(b"a", b"x"), **end)) == MISFIT


def test_a_damaged_directory_is_refused(zipped: Any, entry: Any, refusal: Refusal) -> None:
    archive = zipped(entry(b"a", b"x"))
    directory = archive.index(b"PK\1\2")
    for at, value in [(directory, 0), (directory + 28, 9), (directory + 28, 0), (directory + 42, 5)]:
        spoilt = bytearray(archive)
        spoilt[at] = value
        assert refusal(bytes(spoilt)) == MISFIT
    long = bytearray(archive)
    struct.pack_into("<I", long, directory + 20, 100)
    assert refusal(bytes(long)) == MISFIT
    far = bytearray(archive)
    struct.pack_into("<I", far, directory + 42, 100_000)
    assert refusal(bytes(far)) == MISFIT


def test_a_directory_that_ends_inside_an_entry_is_refused(zipped: Any, entry: Any, refusal: Refusal) -> None:
    whole = zipped(entry(b"a"))
    end = whole.index(b"PK\5\6")
    begin = whole.index(b"PK\1\2")
    cut = whole[: begin + 20] + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 20, begin, 0)
    assert refusal(cut) == MISFIT
    assert end > begin


def test_a_zip64_is_refused(zipped: Any, entry: Any, refusal: Refusal) -> None:
    assert refusal(zipped(entry(b"a"), count=0xFFFF, here=0xFFFF)) == ZIP64
    assert refusal(zipped(entry(b"a"), size=0xFFFFFFFF)) == ZIP64
    assert refusal(zipped(entry(b"a"), offset=0xFFFFFFFF)) == ZIP64
    assert refusal(zipped(entry(b"a", size=0xFFFFFFFF))) == ZIP64
    archive = zipped(entry(b"a"))
    end = archive.index(b"PK\5\6")
    assert refusal(archive[:end] + b"PK\6\7" + bytes(16) + archive[end:]) == ZIP64


def test_a_directory_of_too_many_entries_is_refused_before_it_is_read(
    zipped: Any, entry: Any, refusal: Refusal
) -> None:
    why = "the submission holds more than 100 files and folders"
    assert refusal(zipped(entry(b"a"), count=101, here=101), seen=100) == why
    assert refusal(zipped(entry(b"a"), size=20_000_001), seen=100) == why


def test_a_folder_beside_a_setuid_bit_and_a_link_left_out_are_no_reason(
    zipped: Any, entry: Any, taken: Any
) -> None:
    with taken(zipped(entry(b".venv/lib64", b"lib", mode=0o120777), entry(b"a", b"x"))) as found:
        assert (found.folder / "a").read_bytes() == b"x"
        assert found.left_out == 1
