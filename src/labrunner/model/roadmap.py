"""The roadmap: phases, sections, topics."""

from dataclasses import dataclass

from labrunner.model.words import Interface


@dataclass(frozen=True, slots=True)
class Topic:
    """One roadmap topic and the lab that teaches it; `available` is False while that lab is planned."""

    title: str
    lab: str
    interface: Interface
    services: tuple[str, ...]
    languages: tuple[str, ...]
    build: str
    checks: str
    x1000: str
    available: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A named group of topics within a phase."""

    title: str
    topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """One numbered phase of the roadmap."""

    number: int
    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Roadmap:
    """All phases, in order."""

    phases: tuple[Phase, ...]
