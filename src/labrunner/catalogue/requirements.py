"""Which labs come before a lab, and that no lab comes before itself."""

from collections.abc import Collection
from pathlib import Path

from labrunner.catalogue import settings
from labrunner.catalogue.vocabulary import did_you_mean, listed
from labrunner.errors import AuthoringError


def check(root: Path, slug: str, required: tuple[str, ...], known: Collection[str]) -> None:
    """Refuse requirements that are unknown or lead back to a lab on the way.

    Only the `requires` of the labs on the way are read. `known` holds every written or planned slug.
    """
    for name in required:
        if name not in known:
            raise AuthoringError(
                f"{settings.name_of(slug)}: key 'requires' names the lab {name!r}, which does not exist",
                hint=did_you_mean(name, known) or f"known labs: {listed(sorted(known)[:6])}",
            )
    _refuse_cycle(root, (slug,), required, set())


def _refuse_cycle(root: Path, way: tuple[str, ...], required: tuple[str, ...], done: set[str]) -> None:
    for name in required:
        if name in way:
            circle = (*way[way.index(name) :], name)
            raise AuthoringError(
                f"{settings.name_of(way[-1])}: key 'requires' makes a circle: {' -> '.join(circle)}",
                hint=f"remove one of these requirements, for example {name!r} from this file",
            )
        if name not in done:
            _refuse_cycle(root, (*way, name), settings.required(root, name), done)
            done.add(name)
