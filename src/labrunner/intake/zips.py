"""A submission that is a zip.

The reader is our own: Python's builds an object for each entry of a directory before anything can be counted,
and takes an archive whose directory and contents tell different stories.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from labrunner.intake.copy import Copy, too_many
from labrunner.intake.kinds import complaint, is_executable
from labrunner.intake.limits import IntakeLimits
from labrunner.intake.names import decoded, parts_of
from labrunner.intake.refusal import SubmissionError, refused
from labrunner.intake.streams import AGAIN, CHUNK, Inflater, Meter, damaged

_END = struct.Struct("<4s4H2IH")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_END_MAGIC = b"PK\x05\x06"
_CENTRAL_MAGIC = b"PK\x01\x02"
_LOCAL_MAGIC = b"PK\x03\x04"
_LOCATOR_MAGIC = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_COMMENT_BYTES = 65_535
_DIRECTORY_BYTES = 20_000_000

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_PATCHED = 0x0020
_UTF8 = 0x0800
_STORED = 0
_DEFLATED = 8
_LARGE = (0xFFFF, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of the directory. `offset` is where its own header begins."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    offset: int

    @property
    def name(self) -> str:
        if self.flags & _UTF8:
            return decoded(self.raw_name)
        try:
            return self.raw_name.decode("utf-8")
        except UnicodeDecodeError:
            return self.raw_name.decode("cp437")


def is_zip(start: bytes) -> bool:
    """Whether a file that begins so is a zip, be it an empty one."""
    return start.startswith((_LOCAL_MAGIC, _END_MAGIC))


def copy_zip(file: BinaryIO, copy: Copy, limits: IntakeLimits) -> None:
    """Copy the zip's content; SubmissionError for anything but plain files and folders."""
    entries, directory_at = _directory(file, limits)
    contents = _contents(file, entries, directory_at)
    meter = Meter(limits)
    for entry in entries:
        parts = parts_of(entry.name)
        if not copy.wanted(parts):
            continue
        why = _complaint(entry)
        if why:
            raise refused(entry.name, why)
        if entry.name.endswith("/"):
            copy.add_folder(parts)
        else:
            copy.check_size(parts, entry.size)
            chunks = _expanded(file, entry, contents[entry.offset], meter)
            copy.add_file(parts, chunks, executable=is_executable(entry.mode))


def _directory(file: BinaryIO, limits: IntakeLimits) -> tuple[list[_Entry], int]:
    """The directory's entries, and where in the file it begins."""
    length = file.seek(0, os.SEEK_END)
    tail = _at(file, max(0, length - _END.size - _COMMENT_BYTES), _END.size + _COMMENT_BYTES)
    end = _end(tail)
    _, disk, first_disk, here, count, size, offset, comment = _END.unpack(tail[end : end + _END.size])
    locator = tail[max(0, end - _LOCATOR_BYTES) : end]
    if count in _LARGE or size in _LARGE or offset in _LARGE or locator.startswith(_LOCATOR_MAGIC):
        raise _too_new()
    if count > limits.seen or size > _DIRECTORY_BYTES:
        raise too_many(limits.seen)
    # Then nothing stands before or between that other readers would see and this one not.
    if disk or first_disk or here != count or offset + size + _END.size + comment != length:
        raise _misplaced()
    return _entries(_at(file, offset, size), count), offset


def _end(tail: bytes) -> int:
    """Where in the file's last bytes its end record is: the one whose comment reaches to the end."""
    end = tail.rfind(_END_MAGIC)
    while end >= 0:
        comment = len(tail) - end - _END.size
        if comment >= 0 and int.from_bytes(tail[end + _END.size - 2 :][:2], "little") == comment:
            return end
        end = tail.rfind(_END_MAGIC, 0, end)
    raise damaged("ends too early, or has something behind its end")


def _entries(directory: bytes, count: int) -> list[_Entry]:
    entries: list[_Entry] = []
    at = 0
    while at < len(directory):
        if len(entries) == count or directory[at : at + 4] != _CENTRAL_MAGIC:
            raise _misplaced()
        if at + _CENTRAL.size > len(directory):
            raise _misplaced()
        fields = _CENTRAL.unpack(directory[at : at + _CENTRAL.size])
        _, _, _, flags, method, _, _, crc, packed, size, name, extra, comment, _, _, mode, offset = fields
        at += _CENTRAL.size
        raw_name = directory[at : at + name]
        at += name + extra + comment
        entries.append(_Entry(raw_name, flags, method, crc, packed, size, mode >> 16, offset))
    if len(entries) != count or at != len(directory):
        raise _misplaced()
    return entries


def _contents(file: BinaryIO, entries: list[_Entry], directory_at: int) -> dict[int, int]:
    """Where the content of each entry begins, by where its own header does.

    SubmissionError when two entries share content, which makes bombs, or when the two tell different names.
    """
    contents: dict[int, int] = {}
    free_from = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset in _LARGE or entry.packed in _LARGE or entry.size in _LARGE:
            raise _too_new()
        if entry.offset < free_from:
            raise refused(entry.raw_name, "shares its content with another entry")
        header = _at(file, entry.offset, _LOCAL.size)
        if len(header) != _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
            raise _misplaced()
        _, _, flags, method, *_, name, extra = _LOCAL.unpack(header)
        told = _at(file, entry.offset + _LOCAL.size, name)
        if (told, flags & _ENCRYPTED, method) != (entry.raw_name, entry.flags & _ENCRYPTED, entry.method):
            raise refused(entry.raw_name, "is described in two ways")
        contents[entry.offset] = entry.offset + _LOCAL.size + name + extra
        free_from = contents[entry.offset] + entry.packed
    if free_from > directory_at:
        raise _misplaced()
    return contents


def _complaint(entry: _Entry) -> str | None:
    if entry.flags & _ENCRYPTED:
        return "is encrypted"
    if entry.flags & _PATCHED or entry.method not in {_STORED, _DEFLATED}:
        return f"is packed in a way that few programs know (method {entry.method})"
    is_folder = entry.name.endswith("/")
    kind = stat.S_IFMT(entry.mode)
    if kind in {stat.S_IFREG, stat.S_IFDIR} and (kind == stat.S_IFDIR) != is_folder:
        return "is both a file and a folder"
    if is_folder and entry.size:
        return "is a folder with content"
    return complaint(entry.mode)


def _expanded(file: BinaryIO, entry: _Entry, begin: int, meter: Meter) -> Iterator[bytes]:
    """What an entry expands to, in pieces; SubmissionError when that is not what the directory says."""
    crc = size = 0
    for piece in _unpacked(_packed(file, begin, entry.packed, meter), entry):
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        meter.add(expanded=len(piece))
        if size > entry.size:
            raise refused(entry.name, "is larger than the archive says")
        yield piece
    if size != entry.size or crc != entry.crc:
        raise refused(entry.name, "is damaged: its checksum is wrong", hint=AGAIN)


def _packed(file: BinaryIO, begin: int, size: int, meter: Meter) -> Iterator[bytes]:
    for at in range(0, size, CHUNK):
        piece = _at(file, begin + at, min(CHUNK, size - at))
        meter.add(read=len(piece))
        yield piece


def _unpacked(pieces: Iterator[bytes], entry: _Entry) -> Iterator[bytes]:
    if entry.method == _STORED:
        yield from pieces
        return
    inner = Inflater(-zlib.MAX_WBITS)
    while not inner.eof:
        data = next(pieces, b"") if inner.needs_input else b""
        if not data and inner.needs_input:
            raise refused(entry.name, "is damaged: it ends too early", hint=AGAIN)
        try:
            yield inner.decompress(data, CHUNK)
        except zlib.error as error:
            raise refused(entry.name, f"is damaged: {error}", hint=AGAIN) from None
    if inner.unused_data or next(pieces, b""):
        raise refused(entry.name, "is damaged: something stands behind its end", hint=AGAIN)


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _misplaced() -> SubmissionError:
    return damaged("is damaged: its directory and its content do not fit each other")


def _too_new() -> SubmissionError:
    return damaged("is a ZIP64, a form that only archives of 4 GB or 65 535 entries need")
