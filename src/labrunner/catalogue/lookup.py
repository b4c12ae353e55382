"""From the word that a learner types to the lab."""

from pathlib import Path

from labrunner.catalogue.lab import load
from labrunner.catalogue.topics import FILE, roadmap, topics, written_slugs
from labrunner.catalogue.vocabulary import did_you_mean, is_slug, listed, shown
from labrunner.errors import UsageError
from labrunner.model import Lab

_NAMED = 6


def find(root: Path, slug: str) -> Lab:
    """The lab with this slug, loaded and checked.

    Raises UsageError for an unknown slug (with the nearest known one) and for a lab that is only planned, and
    AuthoringError when the lab is written wrongly.
    """
    if is_slug(slug) and (root / "labs" / slug).is_dir():
        return load(root, slug)
    written = written_slugs(root)
    known = {topic.lab for topic in topics(roadmap(root))} if (root / FILE).is_file() else set(written)
    if slug in known:
        raise UsageError(f"the lab {slug!r} is planned, but not written yet", hint=_available(written))
    raise UsageError(
        f"there is no lab {shown(slug)}", hint=did_you_mean(slug, known | set(written)) or _available(written)
    )


def _available(written: tuple[str, ...]) -> str:
    if not written:
        return "no lab of this catalogue is written yet"
    more = len(written) - _NAMED
    rest = f" and {more} more" if more > 0 else ""
    return f"available now: {listed(written[:_NAMED])}{rest}; `labrunner list` shows all"
