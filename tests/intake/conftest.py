"""Builders of archives, hostile ones too: what no ordinary tool would write."""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from labrunner.intake import IntakeLimits, Submission, SubmissionError, opened


class Tar:
    """Builds a tar header by header."""

    def __init__(self) -> None:
        self.bytes = b""

    def add(
        self,
        name: str | bytes,
        content: bytes = b"",
        *,
        kind: bytes = b"0",
        mode: bytes = b"0000644\0",
        size: bytes | None = None,
        target: bytes = b"",
        magic: bytes = b"ustar\x0000",
        prefix: bytes = b"",
        checksum: bytes | None = None,
    ) -> "Tar":
        raw = name.encode() if isinstance(name, str) else name
        field = b"%011o\0" % len(content) if size is None else size
        begin = struct.pack(
            "100s8s8s8s12s12s", raw, mode, b"0000000\0", b"0000000\0", field, b"00000000000\0"
        )
        end = struct.pack("1s100s8s32s32s8s8s155s12x", kind, target, magic, b"", b"", b"", b"", prefix)
        total = sum(begin) + 8 * 32 + sum(end)
        self.bytes += begin + (b"%06o\0 " % total if checksum is None else checksum) + end
        self.bytes += content + bytes(-len(content) % 512)
        return self

    def pax(self, *records: tuple[str, bytes], kind: bytes = b"x") -> "Tar":
        content = b""
        for key, value in records:
            body = b" " + key.encode() + b"=" + value + b"\n"
            length = len(body) + len(str(len(body)))
            length += len(str(length)) != len(str(len(body)))
            content += str(length).encode() + body
        return self.add("pax", content, kind=kind)

    def end(self) -> bytes:
        return self.bytes + bytes(1024)


class ZipEntry(NamedTuple):
    """An entry as the directory describes it; `local` is what its own header says where that differs."""

    name: bytes
    content: bytes = b""
    packed: bytes | None = None
    size: int | None = None
    crc: int | None = None
    method: int = 8
    flags: int = 0
    mode: int = 0o100644
    local_name: bytes | None = None
    offset: int | None = None


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def zipped(*entries: ZipEntry, comment: bytes = b"", count: int | None = None, **end: int) -> bytes:
    """A zip of these entries; `end` overrules what its end record says: here, size, offset, disk."""
    body, directory = b"", b""
    for entry in entries:
        packed = entry.packed
        if packed is None:
            packed = deflated(entry.content) if entry.method == 8 else entry.content
        size = len(entry.content) if entry.size is None else entry.size
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        offset = len(body) if entry.offset is None else entry.offset
        told = entry.name if entry.local_name is None else entry.local_name
        sizes = (crc, len(packed), size)
        body += struct.pack(
            "<4s5H3I2H", b"PK\3\4", 20, entry.flags, entry.method, 0, 33, *sizes, len(told), 0
        )
        body += told + packed
        directory += struct.pack(
            "<4s6H3I5H2I",
            *(b"PK\1\2", 0x0314, 20, entry.flags, entry.method, 0, 33, *sizes),
            *(len(entry.name), 0, 0, 0, 0, entry.mode << 16, offset),
        )
        directory += entry.name
    count = len(entries) if count is None else count
    said = {"disk": 0, "here": count, "size": len(directory), "offset": len(body), **end}
    record = struct.pack(
        "<4s4H2IH",
        *(b"PK\5\6", said["disk"], said["disk"], said["here"], count),
        *(said["size"], said["offset"], len(comment)),
    )
    return body + directory + record + comment


@pytest.fixture
def tar() -> Tar:
    return Tar()


@pytest.fixture(name="zipped")
def zipped_fixture() -> Callable[..., bytes]:
    return zipped


@pytest.fixture
def entry() -> type[ZipEntry]:
    return ZipEntry


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def taken(tmp_path: Path, temporary: Path) -> Callable[..., AbstractContextManager[Submission]]:
    """Opens a folder, or bytes as an archive; afterwards nothing may be left in the folder for such files."""

    @contextmanager
    def take(submission: bytes | Path, **limits: int) -> Iterator[Submission]:
        path = submission
        if isinstance(path, bytes):
            path = tmp_path / "submission"
            path.write_bytes(submission if isinstance(submission, bytes) else b"")
        with opened(path, IntakeLimits(**limits)) as found:
            yield found
        assert list(temporary.iterdir()) == []

    return take


@pytest.fixture
def refusal(taken: Callable[..., AbstractContextManager[Submission]], temporary: Path) -> Callable[..., str]:
    """The words with which a submission is refused; nothing of it may be left anywhere."""

    def refuse(submission: bytes | Path, **limits: Any) -> str:
        with pytest.raises(SubmissionError) as caught, taken(submission, **limits):
            pass
        assert caught.value.exit_status == 2
        assert caught.value.hint
        assert list(temporary.iterdir()) == []
        words = str(caught.value)
        assert words.isprintable()
        return words.partition(": ")[2]

    return refuse


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes | None]]:
    """What lies below a folder: by path, the content of a file, or None for a folder."""

    def read(folder: Path) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for path in sorted(folder.rglob("*")):
            assert not path.is_symlink()
            found[path.relative_to(folder).as_posix()] = path.read_bytes() if path.is_file() else None
        return found

    return read
