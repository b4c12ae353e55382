import io
import json
import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest

from labrunner.cli.console import Console
from labrunner.errors import AuthoringError, LabrunnerError, MachineError, UsageError
from labrunner.model import (
    Check,
    CheckResult,
    FileRoles,
    Lab,
    Limits,
    Phase,
    Report,
    Roadmap,
    Section,
    ServiceUse,
    Stage,
    StageResult,
    Topic,
    Workspace,
)
from labrunner.report.layout import width_of

ANSI = re.compile(r"\x1b\[[0-9;]*m")
EVIL = "\x1b]0;owned\x07\r\u202e"


class Terminal(io.StringIO):
    """A stream that says it is a terminal, without the descriptor of one."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


@contextmanager
def _pseudo_terminal(columns: int) -> Iterator[TextIO]:
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(follower, "w") as stream, os.fdopen(leader, "rb"):
        yield stream


def _console(width: int = 80, *, colour: bool = False, live: bool = False) -> Console:
    return Console(io.StringIO(), io.StringIO(), width, colour, live)


def _out(console: Console) -> str:
    assert isinstance(console.stdout, io.StringIO)
    return console.stdout.getvalue()


def _talk(console: Console) -> str:
    assert isinstance(console.stderr, io.StringIO)
    return console.stderr.getvalue()


def _topic(slug: str, title: str, *services: str, available: bool = False) -> Topic:
    return Topic(title, slug, "sql", services, ("python",), "b", "c", "x", available)


ROADMAP = Roadmap(
    (
        Phase(
            1, "Programming fundamentals", (Section("Core programming", (_topic("phase1-oop", "Objects"),)),)
        ),
        Phase(
            3,
            "Databases",
            (
                Section(
                    "SQL databases",
                    (
                        _topic(
                            "phase3-indexes", "Indexes and query optimization", "postgres", available=True
                        ),
                        _topic(
                            "phase3-cache",
                            "Caching beside a database, and what it costs",
                            "postgres",
                            "redis",
                        ),
                    ),
                ),
                Section("Other databases", (_topic("phase3-kv", "Key-value stores", "redis"),)),
            ),
        ),
    )
)

REPORT = Report(
    lab="shop",
    lab_hash="ab",
    outcome="failed",
    points=0,
    max_points=2,
    stages=(StageResult("lookups", "Lookups", "failed", waiting=False),),
    checks=(
        CheckResult(
            "email", "lookups", "An email is found", "failed", 0, 2, "Slow.", "8", "9" * 900, {}, 2, 0.1
        ),
    ),
    services=(ServiceUse("postgres", "embedded", "18.6"),),
    isolation="process",
    seed=1,
    started="2025-03-01T10:00:00+00:00",
    duration_s=1.25,
    labrunner="0.1",
)


# ── what the environment and the streams ask for ────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environ", "out", "colour"),
    [
        ({}, Terminal, True),
        ({}, io.StringIO, False),
        ({"TERM": "xterm"}, Terminal, True),
        ({"TERM": "dumb"}, Terminal, False),
        ({"NO_COLOR": "1"}, Terminal, False),
        ({"NO_COLOR": ""}, Terminal, True),
        ({"FORCE_COLOR": "1"}, io.StringIO, True),
        ({"FORCE_COLOR": "0"}, io.StringIO, False),
        ({"FORCE_COLOR": ""}, io.StringIO, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, Terminal, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    environ: dict[str, str], out: type[io.StringIO], colour: bool
) -> None:
    assert Console.of(environ, out(), io.StringIO()).colour is colour


@pytest.mark.parametrize(
    ("environ", "err", "live"),
    [({}, Terminal, True), ({}, io.StringIO, False), ({"TERM": "dumb"}, Terminal, False)],
)
def test_a_line_is_written_anew_only_on_a_terminal(
    environ: dict[str, str], err: type[io.StringIO], live: bool
) -> None:
    assert Console.of(environ, io.StringIO(), err()).live is live


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        ("60", 60),
        ("72", 72),
        ("500", 200),
        ("3", 20),
        ("0", 100),
        ("-5", 100),
        ("wide", 100),
        ("²", 100),
        ("", 100),
    ],
)
def test_columns_says_how_wide_lines_are(columns: str, width: int) -> None:
    assert Console.of({"COLUMNS": columns}, io.StringIO(), io.StringIO()).width == width


def test_a_terminal_says_how_wide_it_is() -> None:
    with _pseudo_terminal(77) as terminal:
        assert Console.of({}, terminal, io.StringIO()).width == 77
        assert Console.of({}, io.StringIO(), terminal).width == 77
        assert Console.of({"COLUMNS": "60"}, terminal, terminal).width == 60


def test_a_terminal_that_does_not_say_how_wide_it_is_gets_a_hundred_columns() -> None:
    with _pseudo_terminal(0) as terminal:
        assert Console.of({}, Terminal(), terminal).width == 100


# ── talk ────────────────────────────────────────────────────────────────────────────────────────


def test_talk_goes_to_stderr_and_is_wrapped_but_commands_are_not() -> None:
    console = _console(30)
    console.say("the folder is ready, so type this next:\n\n  cd a/very/long/path/to/the/lab/folder")
    assert _talk(console) == (
        "the folder is ready, so type\nthis next:\n\n  cd a/very/long/path/to/the/lab/folder\n"
    )
    assert _out(console) == ""


def test_progress_in_a_pipe_is_a_line_each_and_only_when_it_changes() -> None:
    console = _console()
    for text in ("starting postgres", "starting postgres", "seeding", "seeding", "starting postgres"):
        console.progress(text)
    assert _talk(console) == "starting postgres\nseeding\nstarting postgres\n"


def test_progress_on_a_terminal_is_one_line_that_is_gone_when_something_else_is_printed() -> None:
    console = _console(20, live=True)
    console.progress("starting postgres in a container")
    console.progress("seeding")
    console.say("done")
    console.progress("seeding")
    console.write("0.1")
    assert _talk(console) == (
        "\rstarting postgres …\x1b[K\rseeding\x1b[K\r\x1b[Kdone\n\rseeding\x1b[K\r\x1b[K"
    )
    assert _out(console) == "0.1\n"


def test_a_terminal_without_progress_is_sent_no_control_characters() -> None:
    console = _console(live=True, colour=True)
    console.say("hello")
    console.error(UsageError("no", hint="yes"))
    assert "\x1b" not in _talk(console)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (
            UsageError("'x' is no lab", hint="type `labrunner list`"),
            "error: 'x' is no lab\n  remedy: type `labrunner list`\n",
        ),
        (
            AuthoringError("labs/kv/lab.toml: stage 'expiry' has no page", hint="write its page"),
            (
                "this lab is written wrongly: labs/kv/lab.toml: stage 'expiry' has no page\n"
                "  remedy: write its page\n"
            ),
        ),
        (
            MachineError("no engine answers", hint="start Docker"),
            "this machine: no engine answers\n  remedy: start Docker\n",
        ),
        (LabrunnerError("impossible"), "error: impossible\n"),
    ],
)
def test_an_error_says_what_is_wrong_and_on_a_line_of_its_own_the_remedy(
    error: LabrunnerError, shown: str
) -> None:
    console = _console(100)
    console.error(error)
    assert (_talk(console), _out(console)) == (shown, "")


def test_an_error_hangs_below_its_own_beginning() -> None:
    console = _console(40)
    console.error(
        UsageError("the folder is not empty: shop", hint="name another folder with --to, or empty it")
    )
    assert _talk(console) == (
        "error: the folder is not empty: shop\n  remedy: name another folder with --to,\n"
        "          or empty it\n"
    )


def test_what_was_started_ends_with_the_two_commands_to_type(tmp_path: Path) -> None:
    checks = (Check("a", "s", "A", 1, (), 0, tmp_path, 1), Check("b", "s", "B", 1, (), 0, tmp_path, 2))
    stage = Stage("s", "S", tmp_path, tmp_path, checks)
    lab = Lab(
        slug="shop",
        title="A shop",
        topic="Shops",
        minutes=90,
        difficulty="beginner",
        teaches=(),
        requires=(),
        interface="sql",
        services=(),
        stages=(stage,),
        files=FileRoles(("a.sql", "q/*.sql")),
        limits=Limits(),
        folder=tmp_path,
        grader=tmp_path,
        hash="h",
    )
    console = _console(100)
    console.started(lab, Workspace(tmp_path / "my shop", "shop", "h"), tmp_path)
    assert _talk(console) == (
        "shop: A shop\n1 stage, 2 checks, about 90 minutes\n\n"
        "Yours to edit: a.sql, q/*.sql. Next, type:\n\n  cd 'my shop'\n  labrunner grade\n"
    )
    elsewhere = _console(100)
    elsewhere.started(lab, Workspace(tmp_path / "shop", "shop", "h"), tmp_path / "here")
    assert f"  cd {tmp_path / 'shop'}\n" in _talk(elsewhere)


def test_control_characters_are_shown_and_not_sent() -> None:
    console = _console(200)
    console.say(EVIL)
    console.progress(EVIL)
    console.error(UsageError(EVIL, hint=EVIL))
    console.write(EVIL)
    shown = r"\x1b]0;owned\x07\r\u202e"
    assert _talk(console) == f"{shown}\n{shown}\nerror: {shown}\n  remedy: {shown}\n"
    assert _out(console) == f"{shown}\n"


# ── data ────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_goes_to_stdout_and_names_where_it_is_whole() -> None:
    console = _console(60)
    console.report(REPORT, Path("shop/.labrunner/report.json"))
    text = _out(console)
    assert text.startswith("shop · stage 1 of 1: Lookups\n  postgres 18.6 (embedded)")
    assert "  FAILED   An email is found (0 of 2 points)\n    Slow.\n    expected   8\n" in text
    assert "It is whole in:\n    shop/.labrunner/report.json\n" in text
    assert text.endswith("\n  0 of 2 points in 1.2 s\n")
    assert _talk(console) == ""


def test_a_report_without_a_file_points_at_the_command_that_prints_it() -> None:
    console = _console()
    console.report(REPORT)
    assert "what `labrunner grade --json` prints" in _out(console)


def test_a_report_in_colour_reads_the_same_as_without() -> None:
    plain, coloured = _console(), _console(colour=True)
    plain.report(REPORT)
    coloured.report(REPORT)
    assert "\x1b[1;31mFAILED\x1b[0m" in _out(coloured)
    assert ANSI.sub("", _out(coloured)) == _out(plain)


def test_one_json_document_is_all_that_is_printed() -> None:
    console = _console()
    console.json({"title": "Zoë \x1b\u202e", "points": [1, 2.5, None]})
    assert json.loads(_out(console)) == {"title": "Zoë \x1b\u202e", "points": [1, 2.5, None]}
    assert _out(console).isascii()
    assert "\x1b" not in _out(console)
    assert _talk(console) == ""


def test_the_roadmap_in_a_hundred_columns() -> None:
    console = _console(100)
    console.roadmap(ROADMAP, None)
    assert (
        _out(console)
        == """\
Phase 1: Programming fundamentals

  Core programming
    phase1-oop      planned  Objects

Phase 3: Databases

  SQL databases
    phase3-indexes  ready    Indexes and query optimization · postgres
    phase3-cache    planned  Caching beside a database, and what it costs · postgres, redis

  Other databases
    phase3-kv       planned  Key-value stores · redis
"""
    )


def test_the_roadmap_in_sixty_columns() -> None:
    console = _console(60)
    console.roadmap(ROADMAP, 3)
    assert (
        _out(console)
        == """\
Phase 3: Databases

  SQL databases
    phase3-indexes  ready
      Indexes and query optimization · postgres
    phase3-cache    planned
      Caching beside a database, and what it costs ·
      postgres, redis

  Other databases
    phase3-kv       planned
      Key-value stores · redis
"""
    )


@pytest.mark.parametrize("width", [20, 40, 60, 89, 90, 200])
def test_the_roadmap_fits_its_width_and_says_no_more_in_colour(width: int) -> None:
    plain, coloured = _console(width), _console(width, colour=True)
    plain.roadmap(ROADMAP, None)
    coloured.roadmap(ROADMAP, None)
    assert all(width_of(line) <= max(width, 30) for line in _out(plain).splitlines())
    assert ANSI.sub("", _out(coloured)) == _out(plain)
    assert "\x1b[32mphase3-indexes\x1b[0m" in _out(coloured)


def test_a_phase_that_is_not_on_the_roadmap_shows_nothing() -> None:
    console = _console()
    console.roadmap(ROADMAP, 8)
    assert _out(console) == ""


def test_a_stream_that_cannot_encode_a_sign_gets_another_one() -> None:
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, encoding="ascii"), io.StringIO(), 80, colour=False)
    console.report(replace(REPORT, lab="größe"))
    assert raw.getvalue().startswith(b"gr\\xf6\\xdfe - stage 1 of 1: Lookups")


def test_a_reader_that_has_seen_enough_does_not_stop_the_command() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        console = Console(gone, io.StringIO(), 80, colour=False)
        console.roadmap(ROADMAP, None)
        console.roadmap(ROADMAP, None)
        console.say("still here")
    assert _talk(console) == "still here\n"
