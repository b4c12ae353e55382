"""Ends what keepers that were killed could not end themselves."""

import contextlib

from labrunner.services import containers, embedded
from labrunner.services.keeping import Keeping, keeping_from_json
from labrunner.services.locks import try_locked
from labrunner.services.places import Places


def recorded(places: Places) -> tuple[Keeping, ...]:
    """The servers whose keepers are at work or were killed."""
    found = []
    for record in sorted(places.servers.glob("*/keeper.json")):
        # A record that is gone or half-written belongs to a keeper that is just ending or starting.
        with contextlib.suppress(OSError, ValueError, KeyError):
            found.append(keeping_from_json(record.read_text(encoding="utf-8")))
    return tuple(found)


def sweep(places: Places) -> int:
    """End every server whose keeper is gone; returns how many there were."""
    swept = 0
    for keeping in recorded(places):
        with try_locked(keeping.folder / "keeper.lock") as free:
            if free and keeping.record.exists():
                end(keeping)
                swept += 1
    return swept


def end(keeping: Keeping) -> None:
    """End what a server's killed keeper left running; the caller holds that keeper's lock."""
    if keeping.backend == "containers":
        containers.end_orphans(keeping.identity)
    elif keeping.backend == "embedded":
        embedded.end_orphan(keeping.folder, keeping.run)
    keeping.record.unlink(missing_ok=True)
