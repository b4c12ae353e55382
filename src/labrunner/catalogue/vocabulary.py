"""The words that a catalogue may use, and what to say when another one is found."""

import re
from collections.abc import Iterable

# The length is bounded because a slug becomes a file name.
SLUG = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_RULE = "small letters and digits in words joined by single hyphens, at most 64 characters"

DIFFICULTIES = ("beginner", "intermediate", "advanced")
SERVICES = ("postgres", "redis", "rabbitmq")
# The roadmap may plan labs on servers that no lab can name yet.
ROADMAP_SERVICES = (*SERVICES, "kafka", "mongodb", "cassandra", "neo4j", "opensearch")

_SHOWN = 60


def is_slug(text: str) -> bool:
    """Whether `text` may name a lab, a stage or a check: then it is safe as one part of a path."""
    return SLUG.fullmatch(text) is not None


def shown(value: object) -> str:
    """`value` as it may stand in a message: quoted, control characters escaped, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like `word`, or None when none does."""
    import difflib  # only a mistake needs it

    near = difflib.get_close_matches(word[:64].lower(), sorted(known), n=1)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, or an empty string when none is near."""
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


def listed(words: Iterable[str]) -> str:
    """The words as a list in a sentence: `a, b, c`."""
    return ", ".join(words)
