"""The only place that prints: data to stdout, talk to stderr, nothing said by colour alone."""

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from labrunner.errors import LabrunnerError
from labrunner.report.clean import clean
from labrunner.report.layout import Ink, count, cut_end, hung, width_of, wrap

if TYPE_CHECKING:
    from labrunner.model import CheckResult, Json, Lab, Phase, Report, Roadmap, Topic, Workspace

_LEAST, _USUAL, _MOST = 20, 100, 200

# Below this, the topic of a lab stands under its slug.
_ROOMY = 90

_TROUBLE = {
    "lab": "this lab is written wrongly",
    "machine": "this machine",
}

# Our own signs, where a stream's encoding has none of them.
_PLAIN = str.maketrans({"·": "-", "…": "...", "└": "`", "├": "|", "│": "|", "─": "-", "→": "->"})


@dataclass(slots=True)
class _Line:
    """The line of progress that stands unfinished on the terminal, or was last written to a pipe."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Console:
    """Where people and programs read what labrunner says.

    `width` is in columns, `colour` allows ANSI colours on stdout, `live` says that stderr is a terminal on
    which a line may be written anew. No text is read as markup; control characters are shown, not sent.
    """

    stdout: TextIO
    stderr: TextIO
    width: int
    colour: bool
    live: bool = False
    _progress: _Line = field(default_factory=_Line, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> "Console":
        """The console that the environment and the streams ask for.

        NO_COLOR wins over FORCE_COLOR, and both over what the streams are; TERM=dumb means neither colour nor
        rewritten lines; COLUMNS wins over the terminal's own width. Without either, lines have 100 columns.
        """
        able = environ.get("TERM") != "dumb"
        colour = able and stdout.isatty()
        if environ.get("FORCE_COLOR", "0") not in {"", "0"}:
            colour = True
        if environ.get("NO_COLOR"):
            colour = False
        return cls(stdout, stderr, _width(environ, stdout, stderr), colour, live=able and stderr.isatty())

    def say(self, text: str) -> None:
        """Tell people something, on stderr. Lines that begin with a blank (commands, say) are not wrapped."""
        self._finish_progress()
        lines: list[str] = []
        for line in clean(text).split("\n"):
            lines += [line] if line.startswith(" ") else wrap(line, self.width)
        _write(self.stderr, "\n".join(lines) + "\n")

    def progress(self, text: str) -> None:
        """Tell what is going on, on stderr: on a terminal in one line that is written anew, else a line each.

        What was told last is not told again. The next thing that is printed takes the terminal's line away.
        """
        line = cut_end(" ".join(clean(text).split()), self.width - 1)
        if line == self._progress.text:
            return
        if self.live:
            _write(self.stderr, f"\r{line}\x1b[K")
        else:
            _write(self.stderr, f"{line}\n")
        self._progress.text = line

    def error(self, error: LabrunnerError) -> None:
        """Tell what is wrong, on stderr, and on a line of its own what to do about it."""
        self._finish_progress()
        lines = hung(f"{_TROUBLE.get(error.blame, 'error')}: ", clean(str(error)), self.width)
        if error.hint:
            lines += hung("  remedy: ", clean(error.hint), self.width)
        _write(self.stderr, "\n".join(lines) + "\n")

    def write(self, text: str) -> None:
        """Print data, on stdout, and end the line."""
        self._print(clean(text) + "\n")

    def started(self, lab: "Lab", workspace: "Workspace", here: Path) -> None:
        """Tell, on stderr, what was made, and which two commands to type next in the folder `here`."""
        folder = workspace.folder
        near = folder.relative_to(here) if folder.is_relative_to(here) else folder
        checks = sum(len(stage.checks) for stage in lab.stages)
        size = f"{count(len(lab.stages), 'stage')}, {count(checks, 'check')}, about {lab.minutes} minutes"
        self.say(
            f"{lab.slug}: {lab.title}\n{size}\n\n"
            f"Yours to edit: {', '.join(lab.files.learner)}. Next, type:\n\n"
            f"  cd {shlex.quote(str(near))}\n  labrunner grade"
        )

    def report(self, report: "Report", details: Path | None = None) -> None:
        """Show a report, on stdout. `details` is where report.json lies; named where something is cut."""
        from labrunner.report.text import render

        if details is None:
            # Then no file was left to be run by hand either.
            report = _without_replays(report)
        whole = str(details) if details is not None else "what `labrunner grade --json` prints"
        self._print(render(report, width=self.width, ink=Ink(self.colour), whole=clean(whole)))

    def roadmap(self, roadmap: "Roadmap", phase: int | None) -> None:
        """Show the labs by phase and section, on stdout; of one phase only where `phase` is its number."""
        phases = [each for each in roadmap.phases if phase in {None, each.number}]
        room = _slug_room(phases)
        self._print("\n".join("\n".join(self._phase(each, room)) + "\n" for each in phases))

    def json(self, data: "Json") -> None:
        """Print one JSON document, on stdout, in ASCII."""
        self._print(json.dumps(data, indent=2, allow_nan=False) + "\n")

    def _phase(self, phase: "Phase", slug_room: int) -> Iterable[str]:
        ink = Ink(self.colour)
        for line in wrap(f"Phase {phase.number}: {phase.title}", self.width, hang=2):
            yield ink.paint(line, "strong")
        for section in phase.sections:
            yield ""
            yield from hung("  ", section.title, self.width)
            for topic in section.topics:
                yield from self._topic(topic, slug_room, ink)

    def _topic(self, topic: "Topic", slug_room: int, ink: Ink) -> Iterable[str]:
        state = "ready" if topic.available else "planned"
        text = " · ".join([topic.title, *([", ".join(topic.services)] if topic.services else [])])
        slug = ink.paint(topic.lab, "good" if topic.available else "quiet")
        lead = "    " + slug + " " * (slug_room - width_of(topic.lab))
        if self.width >= _ROOMY:
            yield from hung(lead + ink.paint(state.ljust(9), "quiet"), text, self.width)
            return
        yield (lead + ink.paint(state, "quiet")).rstrip()
        yield from hung("      ", text, self.width)

    def _print(self, text: str) -> None:
        self._finish_progress()
        _write(self.stdout, text)

    def _finish_progress(self) -> None:
        if self.live and self._progress.text:
            _write(self.stderr, "\r\x1b[K")
        self._progress.text = ""


def _without_replays(report: "Report") -> "Report":
    def plain(check: "CheckResult") -> "CheckResult":
        return replace(check, evidence={key: each for key, each in check.evidence.items() if key != "replay"})

    return replace(report, checks=tuple(map(plain, report.checks)))


def _slug_room(phases: Iterable["Phase"]) -> int:
    slugs = (topic.lab for phase in phases for section in phase.sections for topic in section.topics)
    return max((width_of(slug) for slug in slugs), default=0) + 2


def _width(environ: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return min(_MOST, max(_LEAST, int(columns)))
    for stream in (stdout, stderr):
        if stream.isatty():
            try:
                found = os.get_terminal_size(stream.fileno()).columns
            except OSError:
                continue
            if found > 0:
                return min(_MOST, max(_LEAST, found))
    return _USUAL


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # The reader has seen enough (`labrunner list | head`): the rest goes nowhere, the command goes on.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
