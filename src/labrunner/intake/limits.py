"""How much of a submission is taken in."""

from dataclasses import dataclass

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What a submission may hold at the most. Sizes in bytes.

    `entries` counts the files and folders of the copy, `seen` also what is left out. An archive may be
    `archive_bytes` long and may expand to `expanded_bytes`, but past `free_bytes` to no more than `ratio`
    times what was read of it.
    """

    entries: int = 10_000
    seen: int = 100_000
    file_bytes: int = 50_000_000
    total_bytes: int = 200_000_000
    archive_bytes: int = 100_000_000
    expanded_bytes: int = 500_000_000
    free_bytes: int = 10_000_000
    ratio: int = 200
    depth: int = 64
    path_bytes: int = 1024


USUAL = IntakeLimits()


def in_words(size: int) -> str:
    """A size for a sentence: `200 MB`, `1 000 bytes`."""
    return f"{size / _MEGABYTE:g} MB" if size >= _MEGABYTE else f"{counted(size)} bytes"


def counted(number: int) -> str:
    """A number with its thousands apart: `10 000`."""
    return f"{number:,}".replace(",", " ")
