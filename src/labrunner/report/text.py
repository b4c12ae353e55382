"""A report in words, for a terminal of a given width."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from labrunner.model import Blame, CheckResult, Fault, Outcome, Report, StageResult
from labrunner.report.findings import findings, label_width
from labrunner.report.layout import Ink, Style, count, cut_middle, hung, width_of, wrap

# Prose is not stretched over a wide screen; what was expected and seen is.
_MEASURE = 120
_MARGIN = "  "

# Below the first, points follow the sentence; below the second, labels stand above what they name.
_ROOMY = 80
_NARROW = 50

# The lines of a message at the most.
_MESSAGE = 12

_WORDS: Mapping[Outcome, tuple[str, Style]] = {
    "passed": ("passed", "good"),
    "failed": ("FAILED", "bad"),
    "not_judged": ("NOT JUDGED", "odd"),
}
_BLAMED: Mapping[Blame, str] = {
    "lab": "This lab is at fault, not your code.",
    "machine": "This machine is at fault, not your code.",
}

_Kind = Literal["full", "brief", "waiting", "unasked"]


@dataclass(frozen=True, slots=True)
class _Page:
    """The report and the columns it is laid out in: where sentences and their details begin."""

    report: Report
    kinds: Mapping[str, _Kind]
    width: int
    sentence: int
    detail: int
    ink: Ink

    @property
    def measure(self) -> int:
        """The columns of prose."""
        return min(self.width, _MEASURE)

    @property
    def full(self) -> list[StageResult]:
        """The stages of which every check is shown."""
        return [stage for stage in self.report.stages if self.kinds[stage.id] == "full"]


def render(report: Report, *, width: int, ink: Ink, whole: str) -> str:
    """The report as text in `width` columns, but for commands and paths, which stay on one line.

    Stages that passed take one line each while another one is open; what waits is counted. Where something is
    cut short, a line says that it is whole in `whole`.
    """
    page = _page(report, width, ink)
    lines, cut = [*_header(page), ""], False
    for stage in report.stages:
        kind = page.kinds[stage.id]
        if kind == "brief":
            lines += _brief(page, stage)
        elif kind == "full":
            if len(page.full) > 1:
                lines += [
                    ink.paint(line, "strong") for line in hung(_MARGIN, _name(report, stage), page.measure)
                ]
            for check in _checks(report, stage):
                part, short = _check(page, check)
                lines += part
                cut = cut or short
    lines += [*_waiting(page), ""]
    if report.fault is not None:
        lines += [*_fault(page, report.fault, len(_MARGIN)), ""]
    if cut:
        # The place is not wrapped: it is there to be copied.
        lines += hung(_MARGIN, "Some of this is cut short. It is whole in:", page.measure)
        lines += [f"{_MARGIN}  {whole}", ""]
    return "\n".join([*lines, *_score(page)]) + "\n"


def _page(report: Report, width: int, ink: Ink) -> _Page:
    kinds = {stage.id: _kind(report, stage) for stage in report.stages}
    unjudged = any(check.fault is not None for check in report.checks)
    sentence = len(_MARGIN) + (12 if unjudged else 9)
    detail = sentence if width >= _ROOMY else 2 * len(_MARGIN)
    return _Page(report, kinds, width, sentence, detail, ink)


def _kind(report: Report, stage: StageResult) -> _Kind:
    """How a stage is shown: it is told in full where there is something to do, or where everything passed."""
    checks = _checks(report, stage)
    if not checks:
        return "unasked"
    if stage.waiting:
        return "waiting"
    if report.fault is not None and all(check.fault == report.fault for check in checks):
        return "brief"
    if stage.outcome == "passed" and not all(check.outcome == "passed" for check in report.checks):
        return "brief"
    return "full"


def _checks(report: Report, stage: StageResult) -> list[CheckResult]:
    return [check for check in report.checks if check.stage == stage.id]


def _name(report: Report, stage: StageResult) -> str:
    number = report.stages.index(stage) + 1
    return f"stage {number} of {len(report.stages)}: {stage.title}"


# ── the parts, from top to bottom ───────────────────────────────────────────────────────────────


def _header(page: _Page) -> list[str]:
    report = page.report
    passed = sum(stage.outcome == "passed" for stage in report.stages)
    where = f"{passed} of {count(len(report.stages), 'stage')} passed"
    if len(page.full) == 1:
        where = _name(report, page.full[0])
    left = f"{report.lab} · {where}"
    served = [f"{use.name} {use.version} ({use.backend})" for use in report.services]
    right = " · ".join([*served, f"isolation {report.isolation}", f"seed {report.seed}"])
    gap = page.measure - width_of(left) - width_of(right)
    if gap >= len(_MARGIN):
        return [page.ink.paint(left, "strong") + " " * gap + page.ink.paint(right, "quiet")]
    first = [page.ink.paint(line, "strong") for line in wrap(left, page.measure, hang=2)]
    return first + [page.ink.paint(line, "quiet") for line in hung(_MARGIN, right, page.measure)]


def _brief(page: _Page, stage: StageResult) -> list[str]:
    checks = _checks(page.report, stage)
    points = sum(check.max_points for check in checks)
    worth = count(points, "point") if stage.outcome == "passed" else f"{count(points, 'point')} open"
    text = f"{_name(page.report, stage)}, {count(len(checks), 'check')}"
    return _sentence(page, stage.outcome, text, worth)


def _check(page: _Page, check: CheckResult) -> tuple[list[str], bool]:
    """The lines of one check, and whether something in them is cut short. A waiting check has none."""
    if check.outcome == "passed":
        return _sentence(page, "passed", check.sentence, count(check.points, "point")), False
    if check.outcome == "failed":
        worth = f"0 of {count(check.max_points, 'point')}"
        details, cut = _details(page, check)
        return _sentence(page, "failed", check.sentence, worth) + details, cut
    if check.fault is None:
        return [], False
    worth = f"{count(check.max_points, 'point')} open"
    return _sentence(page, "not_judged", check.sentence, worth) + _unjudged(page, check, check.fault), False


def _sentence(page: _Page, outcome: Outcome, text: str, worth: str) -> list[str]:
    word, style = _WORDS[outcome]
    lead = _MARGIN + page.ink.paint(word, style) + " " * (page.sentence - len(_MARGIN) - len(word))
    if page.width < _ROOMY:
        return hung(lead, f"{text} ({worth})", page.measure)
    lines = wrap(text, page.measure - page.sentence - width_of(worth) - len(_MARGIN))
    gap = page.measure - page.sentence - width_of(lines[0]) - width_of(worth)
    return [lead + lines[0] + " " * gap + worth, *(" " * page.sentence + line for line in lines[1:])]


def _details(page: _Page, check: CheckResult) -> tuple[list[str], bool]:
    indent = " " * page.detail
    said = hung(indent, check.message, page.measure) if check.message else []
    lines, cut = cut_middle(said, _MESSAGE)
    label_room = label_width(check) if page.width >= _NARROW else len(_MARGIN)
    found = findings(check, max(1, page.width - page.detail - label_room))
    for line in found.lines:
        label = page.ink.paint(line.label, "quiet") + " " * (label_room - width_of(line.label))
        if line.label and page.width < _NARROW:
            lines.append(indent + page.ink.paint(line.label, "quiet"))
            label = _MARGIN
        text = page.ink.paint(line.text, "strong") if line.mark else line.text
        lines.append((indent + label + text).rstrip())
    return lines, cut or found.cut


def _unjudged(page: _Page, check: CheckResult, fault: Fault) -> list[str]:
    indent = " " * page.detail
    if fault == page.report.fault:
        return hung(indent, check.message, page.measure)
    earlier = page.report.checks[: page.report.checks.index(check)]
    if any(other.fault == fault for other in earlier):
        return hung(indent, "For the same reason as above.", page.measure)
    said = [] if check.message in {"", fault.message} else hung(indent, check.message, page.measure)
    return said + _fault(page, fault, page.detail)


def _waiting(page: _Page) -> list[str]:
    report = page.report
    shown = {stage.id for stage in page.full}
    checks = sum(
        check.stage in shown and check.outcome == "not_judged" and check.fault is None
        for check in report.checks
    )
    stages = sum(kind == "waiting" for kind in page.kinds.values())
    unasked = sum(kind == "unasked" for kind in page.kinds.values())
    parts = []
    if checks:
        parts.append(count(checks, "check") + (" of this stage" if len(shown) == 1 else ""))
    if stages:
        parts.append(
            f"{stages} more {'stage' if stages == 1 else 'stages'}" if shown else count(stages, "stage")
        )
    lead = (
        _MARGIN + page.ink.paint("waiting", "quiet") + " " * (page.sentence - len(_MARGIN) - len("waiting"))
    )
    lines = hung(lead, ", ".join(parts), page.measure) if parts else []
    if unasked:
        lines += hung(_MARGIN, f"{count(unasked, 'stage')} not asked for", page.measure)
    return lines


def _fault(page: _Page, fault: Fault, column: int) -> list[str]:
    indent = " " * column
    lines = [page.ink.paint(line, "odd") for line in hung(indent, _BLAMED[fault.blame], page.measure)]
    lines += hung(indent, fault.message, page.measure)
    if fault.remedy:
        lines += hung(indent + "remedy: ", fault.remedy, page.measure)
    return lines


def _score(page: _Page) -> list[str]:
    report = page.report
    text = f"{report.points} of {count(report.max_points, 'point')} in {report.duration_s:.1f} s"
    faultless = report.fault is None and all(check.fault is None for check in report.checks)
    if report.outcome == "not_judged":
        text += (
            f"; {'nothing failed, but ' if faultless else ''}not everything was judged, so this is no pass"
        )
    style = _WORDS[report.outcome][1]
    return [page.ink.paint(line, style) for line in hung(_MARGIN, text, page.measure)]
