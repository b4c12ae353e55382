"""An archive's bytes, expanded as they are asked for and never more than is allowed."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from labrunner.intake.limits import IntakeLimits, in_words
from labrunner.intake.refusal import SubmissionError

CHUNK = 1 << 16

# What the greediest setting of xz needs is 65 MB.
_XZ_MEMORY = 100_000_000
# A well-formed file of many tiny parts costs time out of proportion.
_MEMBERS = 20_000
AGAIN = "pack it again; if it was sent to you, have it sent again"


class Meter:
    """Counts what an archive expands to; SubmissionError as soon as that is more than is allowed."""

    def __init__(self, limits: IntakeLimits) -> None:
        self._limits = limits
        self._read = 0
        self._expanded = 0

    def add(self, *, read: int = 0, expanded: int = 0) -> None:
        """Count bytes read of the archive, and bytes that it expanded to."""
        self._read += read
        self._expanded += expanded
        limits = self._limits
        if self._expanded > limits.expanded_bytes:
            raise SubmissionError(
                f"the archive expands to more than {in_words(limits.expanded_bytes)}",
                hint="hand in what you wrote, without data that programs made",
            )
        if self._expanded > limits.free_bytes and self._expanded > limits.ratio * self._read:
            raise SubmissionError(
                f"the archive expands to more than {limits.ratio} times its size",
                hint="hand in what you wrote, without data that programs made",
            )


class Decompressor(Protocol):
    """What bz2 and lzma offer, and zlib with the help below."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Inflater:
    """zlib's decompressor with bz2's manners: it keeps the input that it has not used yet."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes."""
        expanded = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._full = len(expanded) == max_length
        return expanded


@dataclass(frozen=True, slots=True)
class Compression:
    """A way to compress a whole tar. Its files begin with `magic`, and may be several joined."""

    name: str
    magic: bytes
    new: Callable[[], Decompressor]


COMPRESSIONS = (
    Compression("gzip", b"\x1f\x8b", lambda: Inflater(16 + zlib.MAX_WBITS)),
    Compression("bzip2", b"BZh", bz2.BZ2Decompressor),
    Compression("xz", b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
)


def damaged(why: str) -> SubmissionError:
    """The error for an archive that is not what it says it is."""
    return SubmissionError(f"the archive {why}", hint=AGAIN)


def plain(file: BinaryIO, meter: Meter) -> Iterator[bytes]:
    """The file's own bytes, in pieces."""
    while chunk := file.read(CHUNK):
        meter.add(read=len(chunk), expanded=len(chunk))
        yield chunk


def expanded(file: BinaryIO, compression: Compression, meter: Meter) -> Iterator[bytes]:
    """What the file expands to, in pieces of at most 64 KB."""
    rest = b""
    for _ in range(_MEMBERS):
        rest = yield from _member(file, compression, meter, rest)
        rest = _after(file, rest, len(compression.magic))
        if not rest:
            return
        if not rest.startswith(compression.magic):
            raise damaged(f"has something behind its end that is no {compression.name}")
    raise damaged(f"is made of more than {_MEMBERS} {compression.name} files")


def _member(
    file: BinaryIO, compression: Compression, meter: Meter, begun: bytes
) -> Generator[bytes, None, bytes]:
    """Expand one of the joined files; the answer is what was read behind it."""
    inner = compression.new()
    data = begun
    while not inner.eof:
        if not data and inner.needs_input:
            data = file.read(CHUNK)
            if not data:
                raise damaged("ends too early")
            meter.add(read=len(data))
        try:
            piece = inner.decompress(data, CHUNK)
        except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
            raise damaged(f"is damaged: {error}") from None
        data = b""
        meter.add(expanded=len(piece))
        if piece:
            yield piece
    return inner.unused_data


def _after(file: BinaryIO, rest: bytes, enough: int) -> bytes:
    """What follows the zeros behind an end: nothing, or at least `enough` bytes unless the file ends."""
    rest = rest.lstrip(b"\0")
    while len(rest) < enough:
        more = file.read(CHUNK)
        if not more:
            break
        rest = (rest + more).lstrip(b"\0")
    return rest


class Source:
    """Takes bytes in the sizes that a format has them."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._kept = b""

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes, which must be few; SubmissionError when the archive ends before."""
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Exactly `size` bytes, in pieces; SubmissionError when the archive ends before."""
        while size > 0:
            if not self._kept:
                self._kept = next(self._chunks, b"")
                if not self._kept:
                    raise damaged("ends too early")
            piece, self._kept = self._kept[:size], self._kept[size:]
            size -= len(piece)
            yield piece

    def rest(self) -> Iterator[bytes]:
        """Everything else."""
        yield self._kept
        yield from self._chunks
