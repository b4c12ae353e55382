"""A submission that is a tar, read as a stream.

The reader is our own: what Python's does with a hostile one differs from version to version, and older ones
have no filters.
"""

import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

from labrunner.intake.copy import Copy
from labrunner.intake.kinds import UNKNOWN, complaint, is_executable
from labrunner.intake.names import decoded, parts_of
from labrunner.intake.refusal import SubmissionError, refused
from labrunner.intake.streams import Source, damaged

BLOCK = 512

_EMPTY = bytes(BLOCK)
# A long name takes a few hundred bytes; a Mac's extended attributes may take more.
_EXTENSION_BYTES = 1_000_000
_FILE_TYPES = (b"0", b"\0", b"7")
_FOLDER_TYPE = b"5"
# For the next entry: extended headers (POSIX), for all entries, a long name and a long target (GNU).
_EXTENSION_TYPES = (b"x", b"g", b"L", b"K")
_TYPES = {
    b"1": "is a hard link",
    b"2": "is a link",
    b"3": "is a device",
    b"4": "is a device",
    b"6": "is a pipe",
    b"S": "is a sparse file",
}
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*\Z")
_DECIMAL = re.compile(rb"[0-9]{1,20}")


class Entry(NamedTuple):
    """One entry of a tar: its header's content, completed by the extensions before it."""

    name: bytes
    type: bytes
    mode: int
    size: int


def is_tar(block: bytes) -> bool:
    """Whether the first 512 bytes are a tar's header, or the end of an empty one."""
    return len(block) == BLOCK and (block == _EMPTY or _sum_is_right(block))


def copy_tar(source: Source, copy: Copy) -> None:
    """Copy the tar's content; SubmissionError for anything but plain files and folders."""
    for entry in _entries(source):
        name = decoded(entry.name)
        parts = parts_of(name)
        why = None if entry.type in {*_FILE_TYPES, _FOLDER_TYPE} else _TYPES.get(entry.type, UNKNOWN)
        if not copy.wanted(parts):
            if why and entry.size:
                raise refused(name, f"{why} with content")
            _drain(source, entry.size)
        elif why:
            raise refused(name, why)
        elif entry.type == _FOLDER_TYPE or name.endswith("/"):
            if entry.size:
                raise refused(name, "is a folder with content")
            copy.add_folder(parts)
        else:
            why = complaint(stat.S_IFREG | stat.S_IMODE(entry.mode))
            if why:
                raise refused(name, why)
            copy.check_size(parts, entry.size)
            copy.add_file(parts, source.pieces(entry.size), executable=is_executable(entry.mode))
        _drain(source, -entry.size % BLOCK)


def _entries(source: Source) -> Iterator[Entry]:
    """The tar's entries. Whoever gets one reads its content and the padding before asking for the next."""
    said: dict[str, bytes] = {}
    while (block := source.take(BLOCK)) != _EMPTY:
        header = _header(block)
        if header.type in _EXTENSION_TYPES:
            said |= _extension(source, header)
        else:
            name = said.get("path", header.name)
            yield header._replace(name=name, size=_decimal(said["size"]) if "size" in said else header.size)
            said = {}
    # Whatever came after the end would be seen by some readers and not by others.
    if any(chunk.strip(b"\0") for chunk in source.rest()):
        raise damaged("has something behind its end")


def _header(block: bytes) -> Entry:
    if not _sum_is_right(block):
        raise damaged("is damaged: a header has a wrong checksum")
    name = _text(block[:100])
    # The older format of GNU's has the same word with other bytes behind it, and no prefix.
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    return Entry(name, block[156:157], _number(block[100:108]), _number(block[124:136]))


def _sum_is_right(block: bytes) -> bool:
    found = _OCTAL.match(block[148:156])
    if not found or not found[1]:
        return False
    without = block[:148] + b" " * 8 + block[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in without)  # noqa: PLR2004 - as old tars have it
    return int(found[1], 8) in {sum(without), signed}


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _number(field: bytes) -> int:
    """A number in octal digits, or in base 256 where the first bit is set."""
    if field[0] & 0x80:
        number = int.from_bytes(field, "big", signed=True) if field[0] & 0x40 else _positive(field)
    else:
        found = _OCTAL.match(field)
        if not found:
            raise damaged("is damaged: a header has a wrong number")
        number = int(found[1] or b"0", 8)
    if number < 0:
        raise damaged("is damaged: a header has a negative number")
    return number


def _positive(field: bytes) -> int:
    return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")


def _extension(source: Source, header: Entry) -> dict[str, bytes]:
    """What an extension says about the entry behind it: `path` and `size` are used, the rest is not."""
    if header.size > _EXTENSION_BYTES:
        raise refused(header.name, f"describes an entry in more than {_EXTENSION_BYTES} bytes")
    content = source.take(header.size)
    _drain(source, -header.size % BLOCK)
    if header.type == b"L":
        return {"path": _text(content)}
    if header.type == b"K":
        return {}
    records = _records(content)
    if any(key.startswith("GNU.sparse.") for key in records):
        raise refused(header.name, "is a sparse file")
    if header.type == b"x":
        return records
    if "path" in records or "size" in records:
        raise refused(header.name, "gives all entries one path or size")
    return {}


def _records(content: bytes) -> dict[str, bytes]:
    """The records of an extended header: `LENGTH KEY=VALUE` and a newline each."""
    records: dict[str, bytes] = {}
    while content:
        length, space, _ = content[:21].partition(b" ")
        if not space or not length.isdigit():
            raise _wrong_record()
        record, content = content[: int(length)], content[int(length) :]
        key, equals, value = record[len(length) + 1 :].partition(b"=")
        if len(record) != int(length) or not equals or not value.endswith(b"\n"):
            raise _wrong_record()
        name = decoded(key)
        if name in records:
            raise _wrong_record()
        records[name] = value[:-1]
    return records


def _decimal(value: bytes) -> int:
    if not _DECIMAL.fullmatch(value):
        raise _wrong_record()
    return int(value)


def _wrong_record() -> SubmissionError:
    return damaged("is damaged: an extended header is malformed")


def _drain(source: Source, size: int) -> None:
    for _ in source.pieces(size):
        pass
