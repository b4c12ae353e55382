from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner import catalogue
from labrunner.catalogue.topics import topics
from labrunner.errors import AuthoringError
from labrunner.model import Phase, Roadmap, Section, Topic

Write = Callable[[str, str], Path]
Replace = Callable[[str, str, str], None]


def test_the_built_in_roadmap_has_ten_phases_and_130_topics_in_order() -> None:
    roadmap = catalogue.roadmap(catalogue.root(None))
    assert [phase.number for phase in roadmap.phases] == list(range(1, 11))
    assert [phase.title for phase in roadmap.phases] == [
        "Programming fundamentals",
        "Web fundamentals",
        "Databases",
        "Backend frameworks",
        "System design",
        "DevOps and deployment",
        "Microservices and distributed systems",
        "Advanced topics",
        "Specialized domains",
        "Projects to build",
    ]
    counts = [sum(len(section.topics) for section in phase.sections) for phase in roadmap.phases]
    assert counts == [11, 15, 13, 19, 13, 12, 13, 14, 14, 6]
    labs = [topic.lab for topic in topics(roadmap)]
    assert len(set(labs)) == 130
    assert labs[0] == "phase1-data-structures"
    assert all(
        lab.startswith(f"phase{phase.number}-" if phase.number < 10 else "project-")
        for phase in roadmap.phases
        for lab in [topic.lab for section in phase.sections for topic in section.topics]
    )


def test_the_built_in_roadmap_keeps_each_topics_facts() -> None:
    found = {topic.lab: topic for topic in topics(catalogue.roadmap(catalogue.root(None)))}
    assert found["phase3-indexes"].interface == "sql"
    assert found["phase3-indexes"].services == ("postgres",)
    assert found["phase1-language"].languages == ("python", "node", "go", "java", "csharp")
    assert found["phase1-oop"].languages == ("python",)
    assert found["phase1-oop"].services == ()
    assert found["phase1-oop"].x1000 == "A quote over 10 000 carriers asks each carrier exactly once."
    assert Counter(topic.interface for topic in found.values()) == {
        "http": 61, "function": 30, "files": 18, "worker": 12, "sql": 5, "cli": 4,
    }  # fmt: skip


def test_a_topic_is_available_when_its_lab_is_written(tree: Path) -> None:
    shop = Topic(
        title="Indexes",
        lab="shop",
        interface="sql",
        services=("postgres",),
        languages=("python",),
        build="Indexes for a shop.",
        checks="Blocks read.",
        x1000="Growth stays flat.",
        available=True,
    )
    ledger = Topic(
        title="Ledgers",
        lab="ledger",
        interface="http",
        services=("postgres", "kafka"),
        languages=("python", "go"),
        build="A ledger.",
        checks="Sums.",
        x1000="No convoy.",
        available=False,
    )
    assert catalogue.roadmap(tree) == Roadmap(
        (Phase(3, "Databases", (Section("SQL databases", (shop, ledger)),)),)
    )


def test_a_catalogue_without_a_roadmap_has_one_phase_of_its_labs(
    tree: Path, add_lab: Callable[..., None]
) -> None:
    add_lab("bakery")
    (tree / "labs" / "Not a lab").mkdir()
    (tree / "labs" / "empty").mkdir()
    (phase,) = catalogue.roadmap(tree).phases
    assert (phase.number, phase.title) == (0, "Labs of this catalogue")
    assert [topic.lab for section in phase.sections for topic in section.topics] == ["bakery", "shop"]
    assert phase.sections[0].topics[0] == Topic(
        title="Indexes",
        lab="bakery",
        interface="sql",
        services=("postgres",),
        languages=("python",),
        build="Make a slow shop fast",
        checks="",
        x1000="",
        available=True,
    )


def test_a_catalogue_without_a_roadmap_and_labs_is_empty(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    assert catalogue.roadmap(tmp_path) == Roadmap(())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "key 'format' must be 1, found 2"),
        ("number = 3", "number = 0", "key 'phase[1].number' must be at least 1, found 0"),
        ('"kafka"', '"kafkaa"', "key 'phase[1].section[1].topic[2].services' must be one of postgres,"),
        ('"go"', '"gopher"', "key 'phase[1].section[1].topic[2].languages' must be one of python,"),
        ('"http"', '"https"', "key 'phase[1].section[1].topic[2].interface' must be one of function,"),
        ('lab = "ledger"', 'lab = "../x"', "key 'phase[1].section[1].topic[2].lab' must be a lab's name"),
        ('lab = "ledger"', 'lab = "shop"', "labs/roadmap.toml: the lab shop is there twice"),
        ('checks = "Sums."\n', "", "key 'phase[1].section[1].topic[2].checks' is missing"),
        (
            'checks = "Sums."',
            'checks = "Sums."\nurl = ""',
            "key 'phase[1].section[1].topic[2].url' is unknown",
        ),
    ],
)
def test_a_roadmap_that_is_written_wrongly_is_refused(
    tree: Path, replace: Replace, old: str, new: str, message: str
) -> None:
    replace("labs/roadmap.toml", old, new)
    with pytest.raises(AuthoringError) as caught:
        catalogue.roadmap(tree)
    assert str(caught.value).startswith("labs/roadmap.toml: ")
    assert message in str(caught.value)
    assert caught.value.hint


def test_a_phase_number_that_is_there_twice_is_refused(tree: Path, write: Write) -> None:
    text = (tree / "labs/roadmap.toml").read_text()
    write(
        "labs/roadmap.toml", text + text.split("\n", 1)[1].replace('"shop"', '"a"').replace('"ledger"', '"b"')
    )
    with pytest.raises(AuthoringError, match=r"^labs/roadmap.toml: the phase number 3 is there twice$"):
        catalogue.roadmap(tree)
