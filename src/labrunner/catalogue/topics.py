"""The roadmap: phases, sections and topics, and which of their labs are written."""

from pathlib import Path
from typing import TYPE_CHECKING

from labrunner.catalogue import content, table
from labrunner.catalogue.table import Table
from labrunner.catalogue.vocabulary import ROADMAP_SERVICES, SLUG_RULE, is_slug, shown
from labrunner.errors import AuthoringError
from labrunner.model import INTERFACES, Phase, Roadmap, Section, Topic

if TYPE_CHECKING:
    from labrunner.catalogue.settings import Settings

FILE = "labs/roadmap.toml"
_LANGUAGES = ("python", "node", "go", "java", "csharp")
_USUAL_LANGUAGES = ("python",)


def roadmap(root: Path) -> Roadmap:
    """All phases in order, each topic with `available` telling whether its lab is written.

    A catalogue without labs/roadmap.toml has one phase, number 0, made of its labs in the order of their
    slugs; `build` is then the lab's title. Raises AuthoringError when a file is written wrongly.
    """
    written = written_slugs(root)
    if not (root / FILE).is_file():
        return _made_of_labs(root, written)
    with table.read(root / FILE, FILE) as source:
        table.check_format(source)
        phases = tuple(_phase(phase, written) for phase in source.tables("phase"))
    _refuse_twice([str(phase.number) for phase in phases], "the phase number")
    _refuse_twice([topic.lab for topic in topics(Roadmap(phases))], "the lab")
    return Roadmap(phases)


def topics(whole: Roadmap) -> tuple[Topic, ...]:
    """All topics of the roadmap, in order."""
    return tuple(topic for phase in whole.phases for section in phase.sections for topic in section.topics)


def written_slugs(root: Path) -> tuple[str, ...]:
    """The slugs that have a labs/SLUG/lab.toml, sorted."""
    folders = (name for name in content.names(root, "labs") if is_slug(name))
    return tuple(slug for slug in folders if (root / "labs" / slug / "lab.toml").is_file())


def _phase(source: Table, written: tuple[str, ...]) -> Phase:
    with source as phase:
        return Phase(
            number=phase.whole("number"),
            title=phase.text("title"),
            sections=tuple(_section(section, written) for section in phase.tables("section")),
        )


def _section(source: Table, written: tuple[str, ...]) -> Section:
    with source as section:
        return Section(
            title=section.text("title"),
            topics=tuple(_topic(topic, written) for topic in section.tables("topic")),
        )


def _topic(source: Table, written: tuple[str, ...]) -> Topic:
    with source as topic:
        lab = topic.text("lab")
        if not is_slug(lab):
            raise topic.wrong(
                "lab", f"must be a lab's name, found {shown(lab)}", hint=f"a name is made of {SLUG_RULE}"
            )
        return Topic(
            title=topic.text("title"),
            lab=lab,
            interface=topic.choice("interface", INTERFACES),
            services=topic.choices("services", ROADMAP_SERVICES, ()),
            languages=topic.choices("languages", _LANGUAGES, _USUAL_LANGUAGES),
            build=topic.text("build"),
            checks=topic.text("checks"),
            x1000=topic.text("x1000"),
            available=lab in written,
        )


def _refuse_twice(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise AuthoringError(
                f"{FILE}: {what} {name} is there twice", hint="remove or rename one of the two"
            )


def _made_of_labs(root: Path, written: tuple[str, ...]) -> Roadmap:
    from labrunner.catalogue import settings

    found = tuple(_topic_of(settings.read(root, slug)) for slug in written)
    if not found:
        return Roadmap(())
    return Roadmap((Phase(0, "Labs of this catalogue", (Section("Labs", found),)),))


def _topic_of(lab: "Settings") -> Topic:
    return Topic(
        title=lab.topic,
        lab=lab.slug,
        interface=lab.interface,
        services=tuple(service.name for service in lab.services),
        languages=_USUAL_LANGUAGES,
        build=lab.title,
        checks="",
        x1000="",
        available=True,
    )
