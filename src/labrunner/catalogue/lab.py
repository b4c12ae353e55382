"""One lab, put together from its lab.toml, its pages, hints and checks."""

import re
from collections.abc import Mapping
from pathlib import Path

from labrunner.catalogue import checks, content, requirements, settings, topics
from labrunner.catalogue.settings import Settings
from labrunner.catalogue.vocabulary import did_you_mean, is_slug, listed, shown
from labrunner.errors import AuthoringError, UsageError
from labrunner.model import Check, Lab, Stage

_LEVEL_END = re.compile(r"^---[ \t\r]*$", re.MULTILINE)
_ENTRIES = ("lab.toml", "README.md", "stages", "hints", "starter")


def load(root: Path, slug: str) -> Lab:
    """The lab in labs/SLUG and graders/SLUG, completely checked; nothing of the grader is run.

    Raises AuthoringError with file, key and remedy when it is written wrongly, and UsageError when `slug`
    cannot be a lab's name.
    """
    if not is_slug(slug):
        raise UsageError(f"{shown(slug)} cannot be a lab's name", hint="`labrunner list` shows the labs")
    lab = settings.read(root, slug)
    _refuse_strange_files(root, slug)
    _refuse_missing_files(root, lab)
    fingerprint = content.fingerprint(root, slug)
    known = _known_slugs(root, lab)
    requirements.check(root, slug, lab.requires, known)
    hints = _hint_levels(root, slug)
    stages = tuple(_stage(root, slug, stage, hints) for stage in lab.stages)
    _refuse_pages_and_tests_without_a_stage(root, lab)
    all_checks = tuple(check for stage in stages for check in stage.checks)
    checks.refuse_clashes(all_checks, root)
    _refuse_hints_without_a_check(slug, hints, all_checks)
    return Lab(
        slug=lab.slug,
        title=lab.title,
        topic=lab.topic,
        minutes=lab.minutes,
        difficulty=lab.difficulty,
        teaches=lab.teaches,
        requires=lab.requires,
        interface=lab.interface,
        services=lab.services,
        stages=stages,
        files=lab.files,
        limits=lab.limits,
        folder=root / "labs" / slug,
        grader=root / "graders" / slug,
        hash=fingerprint,
    )


def _known_slugs(root: Path, lab: Settings) -> frozenset[str]:
    written = topics.written_slugs(root)
    if not (root / topics.FILE).is_file():
        return frozenset(written)
    planned = {topic.lab: topic.title for topic in topics.topics(topics.roadmap(root))}
    name = settings.name_of(lab.slug)
    if lab.slug not in planned:
        raise AuthoringError(
            f"{name}: key 'slug': no topic of {topics.FILE} has the lab {lab.slug!r}",
            hint=did_you_mean(lab.slug, planned) or f'add a topic with lab = "{lab.slug}" to {topics.FILE}',
        )
    if lab.topic != planned[lab.slug]:
        raise AuthoringError(
            f"{name}: key 'topic' must be the roadmap's {planned[lab.slug]!r}, found {shown(lab.topic)}",
            hint=f"copy the topic from {topics.FILE}",
        )
    return frozenset({*written, *planned})


def _refuse_strange_files(root: Path, slug: str) -> None:
    for name in _names(root, f"labs/{slug}"):
        if name not in _ENTRIES:
            raise AuthoringError(
                f"labs/{slug}/{name} is unknown: a lab has {listed(_ENTRIES)}",
                hint=did_you_mean(name, _ENTRIES) or f"remove it, or move it to starter/ or graders/{slug}/",
            )


def _refuse_missing_files(root: Path, lab: Settings) -> None:
    _must_be_a_file(root, f"labs/{lab.slug}/README.md", "the brief is missing")
    if not (root / "graders" / lab.slug).is_dir():
        raise AuthoringError(
            f"graders/{lab.slug} is missing", hint=f"write the checks into graders/{lab.slug}"
        )
    starter = root / "labs" / lab.slug / "starter"
    if not starter.is_dir() or not any(starter.iterdir()):
        raise AuthoringError(
            f"labs/{lab.slug}/starter has no files",
            hint=f"put what the learner starts from into labs/{lab.slug}/starter",
        )
    for service in lab.services:
        if service.seed is not None:
            seed = service.seed.relative_to(root).as_posix()
            key = f"services.{service.name}.seed"
            _must_be_a_file(root, seed, f"{settings.name_of(lab.slug)}: key {key!r} names a missing file")


def _must_be_a_file(root: Path, name: str, complaint: str) -> None:
    if not (root / name).is_file():
        raise AuthoringError(f"{complaint}: {name}", hint=f"write {name}")


def _stage(root: Path, slug: str, stage: str, hints: Mapping[str, int]) -> Stage:
    page, tests = f"labs/{slug}/stages/{stage}.md", f"graders/{slug}/test_{stage}.py"
    toml = settings.name_of(slug)
    _must_be_a_file(root, page, f"{toml}: key 'stages': stage {stage!r} has no page")
    _must_be_a_file(root, tests, f"{toml}: key 'stages': stage {stage!r} has no tests")
    return Stage(
        id=stage,
        title=_title(root, page),
        page=root / page,
        tests=root / tests,
        checks=checks.scan(root, tests, stage, hints),
    )


def _title(root: Path, page: str) -> str:
    fenced = False
    for line in _text(root, page).splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif line.startswith("# ") and not fenced and line[2:].strip():
            return line[2:].strip()
    raise AuthoringError(f"{page} has no heading", hint="begin the page with a line `# Title`")


def _text(root: Path, name: str) -> str:
    try:
        return content.read(root, name).decode()
    except UnicodeDecodeError:
        raise AuthoringError(f"{name} is not UTF-8 text", hint="save the file as UTF-8") from None


def _hint_levels(root: Path, slug: str) -> dict[str, int]:
    """The number of levels in each hints/<check>.md, by check id."""
    levels: dict[str, int] = {}
    for name in _names(root, f"labs/{slug}/hints"):
        file = f"labs/{slug}/hints/{name}"
        if not name.endswith(".md"):
            raise AuthoringError(f"{file} is unknown: hints are <check>.md", hint="rename or remove it")
        texts = _LEVEL_END.split(_text(root, file))
        if not all(text.strip() for text in texts):
            raise AuthoringError(
                f"{file} has an empty level", hint="write text before and after each line `---`"
            )
        levels[name.removesuffix(".md")] = len(texts)
    return levels


def _refuse_hints_without_a_check(slug: str, hints: Mapping[str, int], found: tuple[Check, ...]) -> None:
    ids = {check.id for check in found}
    for name in hints:
        if name not in ids:
            raise AuthoringError(
                f"labs/{slug}/hints/{name}.md has no check {name!r}",
                hint=did_you_mean(name, ids) or f"rename it to one of the checks: {listed(sorted(ids))}",
            )


def _refuse_pages_and_tests_without_a_stage(root: Path, lab: Settings) -> None:
    pages = {f"{stage}.md" for stage in lab.stages}
    tests = {f"test_{stage}.py" for stage in lab.stages}
    strange = [
        f"labs/{lab.slug}/stages/{n}" for n in _names(root, f"labs/{lab.slug}/stages") if n not in pages
    ]
    strange += [
        f"graders/{lab.slug}/{n}"
        for n in _names(root, f"graders/{lab.slug}")
        if n.startswith("test_") and n.endswith(".py") and n not in tests
    ]
    for file in strange:
        raise AuthoringError(
            f"{file} belongs to no stage of {settings.name_of(lab.slug)}",
            hint="name its stage in `stages`, or remove it",
        )


def _names(root: Path, folder: str) -> list[str]:
    """The names in the folder, sorted, without hidden ones; none when there is no such folder."""
    if not (root / folder).is_dir():
        return []
    return [name for name in content.names(root, folder) if not name.startswith(".")]
