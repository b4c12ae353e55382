"""Archives that would fill memory or disk, each opened in a process whose memory is measured."""

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MEGABYTE = 1_000_000
# Opens a submission and prints its refusal, and the memory that this cost.
OPEN = """
import json, pathlib, resource, sys
from labrunner.intake import SubmissionError, opened
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with opened(pathlib.Path(sys.argv[1])):
        words = "taken in"
except SubmissionError as error:
    words = str(error).partition(": ")[2]
print(json.dumps([words, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024]))
"""


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[bytes], str]:
    """How a bomb is refused, in little memory, leaving nothing behind."""

    def measure(bomb: bytes) -> str:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        (tmp_path / "bomb").write_bytes(bomb)
        done = subprocess.run(
            # No more than 60 MB can be written, so the limits hold before the copy is whole.
            [
                "bash",
                "-c",
                'ulimit -f 60000; exec "$@"',
                "bash",
                sys.executable,
                "-c",
                OPEN,
                tmp_path / "bomb",
            ],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        words, memory = json.loads(done.stdout)
        # The largest share is xz's dictionary, and a zip's directory of many entries.
        assert memory < 60 * MEGABYTE
        assert list(temporary.iterdir()) == []
        return str(words)

    return measure


def repeated(packer: Any, block: bytes, times: int) -> bytes:
    """`block` many times over in one deflate stream, without compressing it as often."""
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return bytes(first + again * (times - 1) + packer.flush())


def test_ten_gigabytes_of_zeros_in_ten_megabytes_are_refused(
    tar: Any, measured: Callable[[bytes], str]
) -> None:
    block = gzip.compress(bytes(10 * MEGABYTE))
    tar.add("zeros", size=b"%011o\0" % (40 * MEGABYTE))
    bomb = gzip.compress(tar.bytes) + block * 1000
    assert 9 * MEGABYTE < len(bomb) < 11 * MEGABYTE
    assert measured(bomb) == "the archive expands to more than 200 times its size"


def test_a_header_of_ten_gigabytes_is_refused(tar: Any, measured: Callable[[bytes], str]) -> None:
    size = b"\x80" + (10_000 * MEGABYTE).to_bytes(11, "big")
    bomb = gzip.compress(tar.add("zeros", size=size).bytes) + gzip.compress(bytes(10 * MEGABYTE)) * 1000
    assert measured(bomb) == "'zeros' is larger than 50 MB"


def test_an_extended_header_of_ten_gigabytes_is_refused(tar: Any, measured: Callable[[bytes], str]) -> None:
    size = b"\x80" + (10_000 * MEGABYTE).to_bytes(11, "big")
    bomb = (
        gzip.compress(tar.add("pax", kind=b"x", size=size).bytes) + gzip.compress(bytes(10 * MEGABYTE)) * 1000
    )
    assert measured(bomb) == "'pax' describes an entry in more than 1000000 bytes"


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_zeros_in_bzip2_and_xz_are_refused(pack: Any, tar: Any, measured: Callable[[bytes], str]) -> None:
    bomb = pack(tar.add("zeros", size=b"%011o\0" % (40 * MEGABYTE)).bytes + bytes(30 * MEGABYTE))
    assert len(bomb) < 0.1 * MEGABYTE
    assert measured(bomb) == "the archive expands to more than 200 times its size"


def test_zeros_behind_the_end_are_refused(tar: Any, measured: Callable[[bytes], str]) -> None:
    bomb = gzip.compress(tar.add("a").end()) + gzip.compress(bytes(10 * MEGABYTE)) * 1000
    assert measured(bomb) == "the archive expands to more than 200 times its size"


def test_zeros_that_would_be_left_out_are_refused(tar: Any, measured: Callable[[bytes], str]) -> None:
    bomb = gzip.compress(tar.add("node_modules/a", size=b"77777777777\0").bytes)
    assert measured(bomb + gzip.compress(bytes(10 * MEGABYTE)) * 1000) == (
        "the archive expands to more than 200 times its size"
    )


def test_a_submission_that_is_large_without_being_a_bomb_is_refused(refusal: Any, tar: Any) -> None:
    for number in range(6):
        tar.add(str(number), os.urandom(400_000))
    archive = tar.end()
    assert refusal(archive, total_bytes=2 * MEGABYTE) == "the submission holds more than 2 MB"
    assert refusal(archive, expanded_bytes=1_500_000) == "the archive expands to more than 1.5 MB"
    tar.bytes = b""
    zeros = gzip.compress(tar.add("zeros", bytes(MEGABYTE)).end())
    assert refusal(zeros, ratio=2, free_bytes=1000) == "the archive expands to more than 2 times its size"


def test_a_zip_of_zeros_is_refused_whatever_it_says(
    zipped: Any, entry: Any, measured: Callable[[bytes], str]
) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = repeated(packer, bytes(10 * MEGABYTE), 1000)
    assert 9 * MEGABYTE < len(packed) < 11 * MEGABYTE
    assert measured(zipped(entry(b"zeros", packed=packed, size=4_000 * MEGABYTE))) == (
        "'zeros' is larger than 50 MB"
    )


def test_a_zip_that_understates_is_refused_at_the_size_it_states(
    zipped: Any, entry: Any, measured: Callable[[bytes], str]
) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = repeated(packer, bytes(10 * MEGABYTE), 1000)
    assert measured(zipped(entry(b"zeros", packed=packed, size=1000))) == (
        "'zeros' is larger than the archive says"
    )


def test_a_zip_of_many_bombs_is_refused(zipped: Any, entry: Any, measured: Callable[[bytes], str]) -> None:
    zeros = bytes(40 * MEGABYTE)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(zeros) + packer.flush()
    entries = [entry(b"%d" % n, packed=packed, size=len(zeros), crc=zlib.crc32(zeros)) for n in range(20)]
    assert measured(zipped(*entries)) == "the archive expands to more than 200 times its size"


def test_a_bomb_in_a_bomb_is_not_opened(zipped: Any, entry: Any, taken: Any) -> None:
    inner = zipped(entry(b"zeros", bytes(MEGABYTE)))
    with taken(zipped(entry(b"inner.zip", inner))) as found:
        assert (found.folder / "inner.zip").read_bytes() == inner


def test_a_hundred_thousand_tiny_files_in_a_tar_are_refused(
    tar: Any, measured: Callable[[bytes], str]
) -> None:
    tar.add("000000")
    header = tar.bytes
    total = int(header[148:154], 8)
    headers = []
    for number in range(100_000):
        name = b"%06d" % number
        checksum = total + sum(name) - 6 * 48
        headers.append(name + header[6:148] + b"%06o\0 " % checksum + header[156:])
    bomb = gzip.compress(b"".join(headers) + bytes(1024), 1)
    assert measured(bomb) == "the submission holds more than 10 000 files and folders"


def test_a_hundred_thousand_tiny_files_in_folders_left_out_are_refused(
    tar: Any, refusal: Callable[..., str]
) -> None:
    for number in range(30):
        tar.add(f"node_modules/{number}")
    why = "the submission holds more than 29 files and folders"
    assert refusal(tar.end(), seen=29) == why


def test_the_most_files_that_a_zip_can_hold_are_refused(
    zipped: Any, entry: Any, measured: Callable[[bytes], str]
) -> None:
    one = zipped(entry(b"00000", method=0))
    local, central = one[: one.index(b"PK\1\2")], one[one.index(b"PK\1\2") : one.index(b"PK\5\6")]
    body, directory = [], []
    for number in range(65_534):
        name = b"%05d" % number
        body.append(local[:-5] + name)
        directory.append(central[:-9] + (number * len(local)).to_bytes(4, "little") + name)
    size = len(local) * len(body)
    end = one[one.index(b"PK\5\6") :]
    counts = (65_534).to_bytes(2, "little") * 2
    places = (len(central) * len(body)).to_bytes(4, "little") + size.to_bytes(4, "little")
    bomb = b"".join(body) + b"".join(directory) + end[:8] + counts + places + b"\0\0"
    assert measured(bomb) == "the submission holds more than 10 000 files and folders"
