"""What a package.json and the package-lock.json beside it say, without the addresses to fetch it from."""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from labrunner.environment.requirements import MOST
from labrunner.environment.sources import Locked, Source
from labrunner.model import Json

PROJECT = "package.json"
FILE = "package-lock.json"

_NAME = r"(?:@[a-z0-9~_-][a-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*"
_WHOLE_NAME = re.compile(_NAME)
_PLACE = re.compile(rf"node_modules/{_NAME}(?:/node_modules/{_NAME})*")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?")
# Versions, perhaps of a package under another name; no address, no folder.
_RANGE = re.compile(rf"(?:npm:{_NAME}(?:@|\Z))?[0-9A-Za-z.*^~<>=|+ -]*")
_INTEGRITY = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
_PROGRAM = re.compile(r"[A-Za-z0-9@._-]*[A-Za-z0-9@_-]")
_INSIDE = re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|\Z))[A-Za-z0-9@._/-]+")
_PLATFORM = re.compile(r"!?[a-z0-9_]+")

_SHOWN = 80
_DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies")
_AGAIN = "make the lock again with `npm install --package-lock-only`, with packages of the registry alone"

Object = dict[str, Json]


class _WrongError(Exception):
    """What is wrong in a lock."""


def normalised(source: Source, locked: Locked) -> tuple[Object, Object]:
    """A package.json and a package-lock.json with all that npm needs to install, and nothing else.

    Development dependencies are left out. An error with the remedy when the two do not fit each other, or
    when the lock holds anything but packages of the registry with one version and its hash.
    """
    project = _object(source, PROJECT, locked.project)
    asked = _asked(project)
    if locked.lock is None:
        if asked:
            raise source.wrong(PROJECT, "it names dependencies, but there is no lock", hint=_AGAIN)
        return {}, {}
    if "workspaces" in project or "overrides" in project:
        raise source.wrong(PROJECT, "workspaces and overrides are not supported", hint="do without them")
    lock = _object(source, FILE, locked.lock)
    try:
        kept = _packages(lock, asked)
    except _WrongError as error:
        raise source.wrong(FILE, str(error), hint=_AGAIN) from None
    root: Object = {"name": "lab", "version": "0.0.0", **asked}
    return root, {**root, "lockfileVersion": 3, "requires": True, "packages": {"": root, **kept}}


def _object(source: Source, file: str, content: bytes | None) -> Object:
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise source.wrong(file, "expected a JSON object", hint="mend it")
    return found


def _asked(project: Object) -> Object:
    """The dependencies that a project names, by kind; development's not among them."""
    return {kind: project[kind] for kind in _DEPENDENCIES if project.get(kind)}


def _packages(lock: Object, asked: Object) -> Object:
    """The packages of the lock by their places, without those for development alone."""
    if lock.get("lockfileVersion") not in {2, 3}:
        raise _WrongError("its lockfileVersion is neither 2 nor 3")
    packages = _dict(lock, "packages")
    if len(packages) > MOST:
        raise _WrongError(f"it names more than {MOST} packages")
    root = _dict(packages, "")
    if asked != _asked(root):
        raise _WrongError(f"it was not made from this {PROJECT}")
    for kind in asked:
        _ranges(root, kind, "the project")
    kept = {place: _package(place, _dict(packages, place)) for place in sorted(packages) if place}
    return {place: package for place, package in kept.items() if not _dict(packages, place).get("dev")}


def _package(place: str, found: Object) -> Object:
    """One package of the lock: what npm needs to put it in its place."""
    if not _PLACE.fullmatch(place):
        raise _WrongError(f"{_shown(place)} is no place for a package")
    version, bundled = found.get("version"), found.get("inBundle") is True
    if found.get("link") or not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise _WrongError(f"{place} has no version, so it is no package of the registry")
    hashes = [word for word in str(found.get("integrity", "")).split() if _INTEGRITY.fullmatch(word)]
    if not hashes and not bundled:
        raise _WrongError(f"{place} has no sha512 integrity")
    kept: Object = {"version": version, "integrity": hashes[0]} if hashes else {"version": version}
    kept |= {key: read(found, key, place) for key, read in _READERS.items() if key in found}
    flags = {
        "inBundle": bundled,
        "optional": bool(found.get("optional") or found.get("devOptional")),
        "peer": bool(found.get("peer")),
    }
    return {**kept, **{name: True for name, flag in flags.items() if flag}}


def _ranges(found: Object, kind: str, place: str) -> Json:
    ranges = _dict(found, kind)
    for name, versions in ranges.items():
        _text(name, _WHOLE_NAME, place)
        _text(versions, _RANGE, place)
    return ranges


def _other_name(found: Object, key: str, place: str) -> Json:
    return _text(found[key], _WHOLE_NAME, place)


def _platforms(found: Object, key: str, place: str) -> Json:
    value = found[key]
    return [_text(each, _PLATFORM, place) for each in (value if isinstance(value, list) else [value])]


def _programs(found: Object, key: str, place: str) -> Json:
    programs = _dict(found, key)
    for name, file in programs.items():
        _text(name, _PROGRAM, place)
        _text(file, _INSIDE, place)
    return programs


def _optional_peers(found: Object, key: str, place: str) -> Json:
    peers = _dict(found, key)
    return {
        _text(peer, _WHOLE_NAME, place): {"optional": True}
        for peer in peers
        if _dict(peers, peer).get("optional")
    }


_READERS: Mapping[str, Callable[[Object, str, str], Json]] = MappingProxyType(
    {
        **dict.fromkeys(_DEPENDENCIES, _ranges),
        **dict.fromkeys(("os", "cpu", "libc"), _platforms),
        "bin": _programs,
        "name": _other_name,
        "peerDependenciesMeta": _optional_peers,
    }
)


def _dict(found: Object, key: str) -> Object:
    value = found.get(key)
    if not isinstance(value, dict):
        raise _WrongError(f"expected an object at {_shown(key)}")
    return value


def _text(value: Json, expected: re.Pattern[str], place: str) -> str:
    if not isinstance(value, str) or not expected.fullmatch(value):
        raise _WrongError(f"{place} says {_shown(value)}, which points out of the registry")
    return value


def _shown(value: Json) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
