import bz2
import gzip
import lzma
import os
import resource
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labrunner.errors import MachineError
from labrunner.intake import opened

Refusal = Callable[..., str]
DAMAGED = "the archive is damaged: "


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("layout", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_of_any_usual_kind_is_taken_in(
    mode: Any, layout: int, tmp_path: Path, taken: Any, tree: Any
) -> None:
    packed, source = tmp_path / "packed", tmp_path / "source"
    deep = "folder-" * 8 + "/" + "name-" * 20
    (source / deep).parent.mkdir(parents=True)
    (source / deep).write_bytes(os.urandom(100_000))
    (source / "empty").mkdir()
    (source / "run.sh").write_bytes(b"#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    with tarfile.open(packed, mode, format=layout) as archive:
        archive.add(source, ".")
    with taken(packed) as found:
        assert tree(found.folder) == tree(source)
        assert (found.folder / "run.sh").stat().st_mode == 0o100700
        assert (found.folder / deep).stat().st_mode == 0o100600
        assert (found.folder / "empty").stat().st_mode == 0o040700


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (b"1", "is a hard link"),
        (b"2", "is a link"),
        (b"3", "is a device"),
        (b"4", "is a device"),
        (b"6", "is a pipe"),
        (b"S", "is a sparse file"),
        (b"V", "is neither a file nor a folder"),
        (b"Z", "is neither a file nor a folder"),
    ],
)
def test_an_entry_that_is_no_plain_file_is_refused(kind: bytes, why: str, tar: Any, refusal: Refusal) -> None:
    assert refusal(tar.add("a/evil", kind=kind, target=b"/etc").end()) == f"'a/evil' {why}"


def test_a_link_and_a_file_written_through_it_reach_nothing(
    tar: Any, refusal: Refusal, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tar.add("link", kind=b"2", target=str(outside).encode()).add("link/evil", b"x")
    assert refusal(tar.end()) == "'link' is a link"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("mode", [b"0004755\0", b"0002755\0"])
def test_a_setuid_or_setgid_file_is_refused(mode: bytes, tar: Any, refusal: Refusal) -> None:
    why = "'evil' would run with its owner's rights (setuid or setgid)"
    assert refusal(tar.add("evil", mode=mode).end()) == why


def test_modes_are_reduced_to_what_the_owner_may(tar: Any, taken: Any) -> None:
    tar.add("group/", kind=b"5", mode=b"0002777\0").add("group/all", mode=b"0001777\0")
    with taken(tar.add("none", b"x", mode=b"0000000\0").end()) as found:
        assert (found.folder / "group").stat().st_mode == 0o040700
        assert (found.folder / "group" / "all").stat().st_mode == 0o100700
        assert (found.folder / "none").read_bytes() == b"x"


def test_hooks_of_git_cannot_be_executed_and_nothing_of_it_is_run(
    tar: Any, taken: Any, tmp_path: Path
) -> None:
    evil = f"#!/bin/sh\ntouch {tmp_path}/pwned\n".encode()
    config = f'[core]\nfsmonitor = "touch {tmp_path}/pwned"\n[filter "x"]\nsmudge = touch {tmp_path}/pwned\n'
    tar.add(".git/hooks/post-checkout", evil, mode=b"0000755\0").add(".git/config", config.encode())
    tar.add(".gitattributes", b"* filter=x\n").add("sub/.GIT/hooks/x", evil, mode=b"0000755\0")
    with taken(tar.end()) as found:
        assert (found.folder / ".git/hooks/post-checkout").read_bytes() == evil
        assert (found.folder / ".git/hooks/post-checkout").stat().st_mode == 0o100600
        assert (found.folder / "sub/.GIT/hooks/x").stat().st_mode == 0o100600
        assert (found.folder / ".git/config").read_text() == config
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("size", "why"),
    [
        (b"\xff" * 12, DAMAGED + "a header has a negative number"),
        (b"\xc0" + b"\0" * 11, DAMAGED + "a header has a negative number"),
        (b"-0000000001\0", DAMAGED + "a header has a wrong number"),
        (b"00000000009\0", DAMAGED + "a header has a wrong number"),
        (b"\x80" + b"\0" * 3 + (10_000_000_000).to_bytes(8, "big"), "'evil' is larger than 50 MB"),
        (b"77777777777\0", "'evil' is larger than 50 MB"),
        (b"00000001000\0", "the archive ends too early"),
    ],
)
def test_a_header_with_a_false_size_is_refused(size: bytes, why: str, tar: Any, refusal: Refusal) -> None:
    assert refusal(tar.add("evil", size=size).bytes) == why


def test_a_size_in_base_256_is_read(tar: Any, taken: Any, tree: Any) -> None:
    with taken(tar.add("a", b"four", size=b"\x80" + b"\0" * 10 + b"\x04").end()) as found:
        assert tree(found.folder) == {"a": b"four"}


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (b"27 GNU.sparse.realsize=999\n", "'pax' is a sparse file"),
        (b"13 size=-512\n", DAMAGED + "an extended header is malformed"),
        (b"99 path=a\n", DAMAGED + "an extended header is malformed"),
        (b"0 path=a\n", DAMAGED + "an extended header is malformed"),
        (b"-1 path=a\n", DAMAGED + "an extended header is malformed"),
        (b"10 path:a\n\0", DAMAGED + "an extended header is malformed"),
        (b"11 path=a\n\0", DAMAGED + "an extended header is malformed"),
        (b"9" * 600, DAMAGED + "an extended header is malformed"),
        (b"10 path=a\n" * 2, DAMAGED + "an extended header is malformed"),
        (b"10 path=\xff\n", r"'\xff' has a name that is not UTF-8"),
    ],
)
def test_a_malformed_extended_header_is_refused(records: bytes, why: str, tar: Any, refusal: Refusal) -> None:
    assert refusal(tar.add("pax", records, kind=b"x").add("a").end()) == why


def test_an_extended_header_that_fills_memory_is_refused(tar: Any, refusal: Refusal) -> None:
    for kind in (b"x", b"g", b"L", b"K"):
        tar.bytes = b""
        why = "'pax' describes an entry in more than 1000000 bytes"
        assert refusal(tar.add("pax", kind=kind, size=b"00777777777\0").end()) == why


def test_an_extended_header_for_all_entries_may_only_comment(tar: Any, taken: Any, refusal: Refusal) -> None:
    with taken(tar.pax(("comment", b"9f2c"), kind=b"g").add("a").end()) as found:
        assert (found.folder / "a").is_file()
    for key in ("path", "size"):
        tar.bytes = b""
        why = "'pax' gives all entries one path or size"
        assert refusal(tar.pax((key, b"1"), kind=b"g").add("a").end()) == why


def test_what_an_extension_says_holds_for_one_entry(tar: Any, taken: Any, tree: Any) -> None:
    tar.pax(("path", b"long"), ("size", b"3"), ("mtime", b"1.5")).add("x", b"abc", size=b"00000000000\0")
    tar.add("name", b"gnu\0", kind=b"L").add("target", b"t\0", kind=b"K").add("y", b"d").add("z", b"e")
    with taken(tar.end()) as found:
        assert tree(found.folder) == {"long": b"abc", "gnu": b"d", "z": b"e"}


def test_a_prefix_is_part_of_the_name_in_the_posix_format_alone(tar: Any, taken: Any, tree: Any) -> None:
    tar.add("a", prefix=b"p").add("b", prefix=b"p", magic=b"ustar  \0").add("c/", magic=b"")
    with taken(tar.end()) as found:
        assert sorted(tree(found.folder)) == ["b", "c", "p", "p/a"]


def test_an_entry_without_a_name_is_no_entry(tar: Any, taken: Any, tree: Any) -> None:
    with taken(tar.add("", b"x").add("./", b"y").add("a", b"z").end()) as found:
        assert tree(found.folder) == {"a": b"z"}
        assert found.left_out == 0


@pytest.mark.parametrize("kind", [b"0", b"5"])
def test_a_folder_with_content_is_refused(kind: bytes, tar: Any, refusal: Refusal) -> None:
    assert refusal(tar.add("a/", b"x", kind=kind).end()) == "'a/' is a folder with content"


def test_a_link_with_content_is_refused_where_it_would_be_left_out(tar: Any, refusal: Refusal) -> None:
    assert refusal(tar.add(".venv/a", b"x", kind=b"2").end()) == "'.venv/a' is a link with content"


@pytest.mark.parametrize("checksum", [b"0000000\0", b"        ", b"zzzzzzz\0"])
def test_a_wrong_checksum_is_refused(checksum: bytes, tar: Any, refusal: Refusal) -> None:
    archive = tar.add("a").add("b", checksum=checksum).end()
    assert refusal(archive) == DAMAGED + "a header has a wrong checksum"


def test_the_checksum_of_old_tars_counts_signed(tar: Any, taken: Any) -> None:
    whole = tar.add("é").bytes[:512]
    signed = sum(byte - 256 if byte > 127 else byte for byte in whole[:148] + b" " * 8 + whole[156:])
    tar.bytes = b""
    with taken(tar.add("é", checksum=b"%06o\0 " % signed).end()) as found:
        assert (found.folder / "é").is_file()


@pytest.mark.parametrize("cut", [1, 100, 512, 600, 1024, 1100, 1536])
def test_a_truncated_tar_is_refused(cut: int, tar: Any, refusal: Refusal) -> None:
    archive = tar.add("a", b"x" * 600).bytes[:cut]
    expected = "expected a folder, a tar (plain, gzip, bzip2 or xz) or a zip, found something else"
    assert refusal(archive) == (expected if cut < 512 else "the archive ends too early")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_truncated_or_damaged_compression_is_refused(pack: Any, tar: Any, refusal: Refusal) -> None:
    packed = pack(tar.add("a", os.urandom(5000)).end())
    assert refusal(packed[: len(packed) // 2]) == "the archive ends too early"
    assert refusal(packed[:-1]) == "the archive ends too early"
    middle = len(packed) // 2
    spoilt = packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :]
    assert refusal(spoilt).startswith((DAMAGED, "the archive ends too early"))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_may_be_joined_and_padded_with_zeros(
    pack: Any, tar: Any, taken: Any, tree: Any
) -> None:
    archive = tar.add("a", b"x" * 600).end()
    with taken(pack(archive[:700]) + pack(archive[700:]) + bytes(100_000)) as found:
        assert tree(found.folder) == {"a": b"x" * 600}


@pytest.mark.parametrize(
    ("pack", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")]
)
def test_anything_behind_a_compression_is_refused(pack: Any, name: str, tar: Any, refusal: Refusal) -> None:
    packed = pack(tar.add("a").end())
    why = f"the archive has something behind its end that is no {name}"
    assert refusal(packed + b"garbage") == why
    assert refusal(packed + bytes(70_000) + b"g") == why


def test_anything_behind_the_end_of_a_tar_is_refused(tar: Any, taken: Any, refusal: Refusal) -> None:
    archive = tar.add("a").end()
    with taken(archive + bytes(20_000)) as found:
        assert (found.folder / "a").is_file()
    tar.bytes = b""
    for more in (b"garbage", bytes(9000) + tar.add("b").end()):
        assert refusal(archive + more) == "the archive has something behind its end"


def test_an_xz_that_asks_for_much_memory_is_refused(tar: Any, refusal: Refusal) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3}]
    small = lzma.compress(tar.add("a").end(), filters=filters)
    assert refusal(small) == DAMAGED + "Memory usage limit exceeded"


def test_a_gzip_of_countless_parts_is_refused(refusal: Refusal) -> None:
    why = "the archive is made of more than 20000 gzip files"
    assert refusal(gzip.compress(b"") * 20_001) == why


def test_the_last_bytes_of_a_full_piece_are_not_lost(tar: Any, taken: Any, tree: Any) -> None:
    # A piece that ends where the packed bytes do leaves the rest of what they expand to inside.
    content = bytes(65_536 * 3 - 1024)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(tar.add("a", content).end()) + packer.flush()
    with taken(packed) as found:
        assert tree(found.folder) == {"a": content}


def test_an_empty_tar_is_an_empty_submission(taken: Any, tree: Any) -> None:
    with taken(bytes(10_240)) as found:
        assert tree(found.folder) == {}


def test_a_full_disk_is_the_machines_fault(tar: Any, tmp_path: Path, temporary: Path) -> None:
    archive = tmp_path / "submission"
    archive.write_bytes(tar.add("a", bytes(5000)).end())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(MachineError) as caught, opened(archive):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == "the private copy of the submission cannot be written: File too large"
    assert caught.value.hint == "look at the folder for temporary files, or set TMPDIR"
    assert list(temporary.iterdir()) == []
