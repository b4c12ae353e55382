import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from labrunner.model import CheckResult, Fault, Report, StageResult
from labrunner.report.layout import Ink, width_of
from labrunner.report.text import render

ReportOf = Callable[..., Report]
WHOLE = "phase3-indexes/.labrunner/report.json"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def _text(report: Report, width: int = 96, *, colour: bool = False) -> str:
    return render(report, width=width, ink=Ink(colour), whole=WHOLE)


def _lines(report: Report, width: int = 96) -> list[str]:
    return _text(report, width).splitlines()


@pytest.fixture
def sample(report_of: ReportOf, passed: CheckResult, failed: CheckResult, waiting: CheckResult) -> Report:
    """A run in which the second of four stages failed."""
    first = replace(passed, id="sargable", stage="sargable", points=3, max_points=3)
    slow = replace(
        failed,
        sentence="Finding a customer by email reads a handful of pages, however many customers there are",
        expected="at most 8 blocks, no more at 100 000 customers than at 10 000",
        seen="1 241 blocks at 100 000 customers, 127 at 10 000: grows with the table",
        evidence={
            "plan": "Seq Scan on customers   99 999 rows read and thrown away\n  Filter: lower(email) = $1",
            "yourself": "labrunner services shell postgres < queries/by_email.sql",
        },
    )
    wrong = replace(
        failed,
        id="newest",
        sentence="The newest orders of a customer come in order",
        max_points=1,
        message="queries/newest.sql returned other rows.",
        expected="2 | bob | 12.50",
        seen="2 | bob | 12.05",
        evidence={"plan_before": "Sort\n  Seq Scan on orders", "plan": "Index Scan using orders_idx"},
        hints=1,
    )
    later = replace(waiting, id="later", stage="lookups")
    report = report_of(first, passed, slow, wrong, later, replace(later, id="last"), waiting)
    return replace(
        report,
        points=4,
        max_points=12,
        stages=(*report.stages, StageResult("budget", "Budget", "not_judged", waiting=False)),
    )


AT_60 = """\
phase3-indexes · stage 2 of 4: Lookups
  postgres 18 (containers) · isolation strict · seed 4711

  passed   stage 1 of 4: Sargable, 1 check (3 points)
  passed   Finding a customer by email returns what it
           returned before (1 point)
  FAILED   Finding a customer by email reads a handful of
           pages, however many customers there are (0 of 3
           points)
    The blocks grow with the table.
    expected   at most 8 blocks, no more at 100 000
               customers than at 10 000
    seen       1 241 blocks at 100 000 customers, 127 at
               10 000: grows with the table
    plan       Seq Scan on customers   99 999 rows read
                 and thrown away
                 Filter: lower(email) = $1
    yourself   labrunner services shell postgres < queries/by_email.sql
    hint       3 levels on offer
  FAILED   The newest orders of a customer come in order (0
           of 1 point)
    queries/newest.sql returned other rows.
    expected      2 | bob | 12.50
    seen          2 | bob | 12.05
                               ^ differs from here
    plan before   Sort
                    Seq Scan on orders
    plan now      Index Scan using orders_idx
    hint          1 level on offer
  waiting  2 checks of this stage, 1 more stage
  1 stage not asked for

  4 of 12 points in 0.8 s
"""

AT_100 = """\
phase3-indexes · stage 2 of 4: Lookups       postgres 18 (containers) · isolation strict · seed 4711

  passed   stage 1 of 4: Sargable, 1 check                                                  3 points
  passed   Finding a customer by email returns what it returned before                       1 point
  FAILED   Finding a customer by email reads a handful of pages, however many          0 of 3 points
           customers there are
           The blocks grow with the table.
           expected   at most 8 blocks, no more at 100 000 customers than at 10 000
           seen       1 241 blocks at 100 000 customers, 127 at 10 000: grows with the table
           plan       Seq Scan on customers   99 999 rows read and thrown away
                        Filter: lower(email) = $1
           yourself   labrunner services shell postgres < queries/by_email.sql
           hint       3 levels on offer
  FAILED   The newest orders of a customer come in order                                0 of 1 point
           queries/newest.sql returned other rows.
           expected      2 | bob | 12.50
           seen          2 | bob | 12.05
                                      ^ differs from here
           plan before   Sort
                           Seq Scan on orders
           plan now      Index Scan using orders_idx
           hint          1 level on offer
  waiting  2 checks of this stage, 1 more stage
  1 stage not asked for

  4 of 12 points in 0.8 s
"""


def test_a_report_in_sixty_columns(sample: Report) -> None:
    assert _text(sample, 60) == AT_60


def test_a_report_in_a_hundred_columns(sample: Report) -> None:
    assert _text(sample, 100) == AT_100


def test_a_report_in_two_hundred_columns_keeps_prose_readable_and_data_wide(
    report_of: ReportOf, failed: CheckResult
) -> None:
    wide = "row " + "x" * 170
    lines = _lines(report_of(replace(failed, expected=None, seen=wide, message="word " * 60)), 200)
    assert lines[0].endswith("seed 4711")
    assert width_of(lines[0]) == 120
    assert lines[2].endswith("0 of 3 points")
    assert width_of(lines[2]) == 120
    assert f"           seen       {wide}" in lines
    assert max(width_of(line) for line in lines if "word" in line) <= 120


@pytest.mark.parametrize("width", [60, 100, 200])
def test_colour_adds_nothing_that_words_do_not_say(sample: Report, width: int) -> None:
    coloured = _text(sample, width, colour=True)
    assert "\x1b[1;31mFAILED\x1b[0m" in coloured
    assert "\x1b[32mpassed\x1b[0m" in coloured
    assert ANSI.sub("", coloured) == _text(sample, width)


@pytest.mark.parametrize("width", [1, 10, 20, 32, 45, 60, 79, 80, 81, 120, 200])
def test_no_width_breaks_it_and_only_commands_are_wider(sample: Report, width: int) -> None:
    lines = _lines(sample, width)
    room = max(width, 30)
    assert all(width_of(line) <= room for line in lines if "by_email.sql" not in line and WHOLE not in line)
    assert any("labrunner services shell postgres < queries/by_email.sql" in line for line in lines)


def test_labels_stand_above_their_texts_where_it_is_narrow(sample: Report) -> None:
    lines = _lines(sample, 40)
    assert lines[lines.index("    plan now") + 1] == "      Index Scan using orders_idx"


def test_when_everything_passed_every_check_is_shown(report_of: ReportOf, passed: CheckResult) -> None:
    other = replace(
        passed, id="o", stage="joins", sentence="Orders come with their customer", points=2, max_points=2
    )
    assert _lines(report_of(passed, other)) == [
        "phase3-indexes · 2 of 2 stages passed    postgres 18 (containers) · isolation strict · seed 4711",
        "",
        "  stage 1 of 2: Lookups",
        "  passed   Finding a customer by email returns what it returned before                   1 point",
        "  stage 2 of 2: Joins",
        "  passed   Orders come with their customer                                              2 points",
        "",
        "  3 of 3 points in 0.8 s",
    ]


def test_with_several_stages_open_each_has_its_heading(
    report_of: ReportOf, passed: CheckResult, failed: CheckResult, waiting: CheckResult
) -> None:
    other = replace(failed, id="o", stage="joins")
    text = _text(
        report_of(failed, replace(waiting, id="w", stage="lookups"), other, replace(passed, stage="budget"))
    )
    assert "phase3-indexes · 1 of 3 stages passed" in text
    assert "\n  stage 1 of 3: Lookups\n  FAILED " in text
    assert "\n  stage 2 of 3: Joins\n  FAILED " in text
    assert "\n  passed   stage 3 of 3: Budget, 1 check " in text
    assert "\n  waiting  1 check\n" in text


def test_a_fault_of_one_check_has_its_own_words_and_its_remedy(
    report_of: ReportOf, passed: CheckResult, stopped: CheckResult
) -> None:
    again = replace(stopped, id="again", sentence="Twenty lookups take ten statements")
    assert _lines(report_of(passed, stopped, again))[2:] == [
        "  passed      Finding a customer by email returns what it returned before                1 point",
        "  NOT JUDGED  Ten lookups take ten statements                                      2 points open",
        "              It did not report.",
        "              This machine is at fault, not your code.",
        "              The server went away.",
        "              remedy: start it and grade again",
        "  NOT JUDGED  Twenty lookups take ten statements                                   2 points open",
        "              For the same reason as above.",
        "",
        "  1 of 5 points in 0.8 s; not everything was judged, so this is no pass",
    ]


def test_a_message_that_repeats_the_fault_is_shown_once(report_of: ReportOf, stopped: CheckResult) -> None:
    text = _text(report_of(replace(stopped, message="The server went away.")))
    assert text.count("The server went away.") == 1


def test_a_fault_of_the_whole_run_is_told_once_at_the_end(
    report_of: ReportOf, passed: CheckResult, stopped: CheckResult
) -> None:
    fault = Fault("lab", "The grader ended before its closing record.")
    lost = replace(stopped, fault=fault)
    unread = replace(lost, id="u", stage="joins")
    lines = _lines(report_of(passed, lost, unread, replace(unread, id="v"), fault=fault))
    assert lines[2:] == [
        "  passed      Finding a customer by email returns what it returned before                1 point",
        "  NOT JUDGED  Ten lookups take ten statements                                      2 points open",
        "              It did not report.",
        "  NOT JUDGED  stage 2 of 2: Joins, 2 checks                                        4 points open",
        "",
        "  This lab is at fault, not your code.",
        "  The grader ended before its closing record.",
        "",
        "  1 of 7 points in 0.8 s; not everything was judged, so this is no pass",
    ]


def test_a_run_in_which_all_waits_says_that_nothing_failed(report_of: ReportOf, waiting: CheckResult) -> None:
    lines = _lines(report_of(waiting))
    assert lines[0].startswith("phase3-indexes · 0 of 1 stage passed")
    assert lines[2:] == [
        "  waiting  1 stage",
        "",
        "  0 of 2 points in 0.8 s; nothing failed, but not everything was judged, so this is no pass",
    ]


def test_a_check_without_message_hints_and_evidence_shows_only_what_it_has(
    report_of: ReportOf, failed: CheckResult
) -> None:
    bare = replace(failed, message="", expected=None, seen=None, evidence={}, hints=0)
    assert _lines(report_of(bare))[3:] == ["", "  0 of 3 points in 0.8 s"]


def test_evidence_of_every_kind_is_shown_and_what_is_empty_is_not(
    report_of: ReportOf, failed: CheckResult
) -> None:
    evidence: dict[str, Any] = {
        "rows_expected": 3,
        "too_many": ["(1, 'ada')", 2],
        "missing": [],
        "nothing": None,
        "counts": {"ü": [1, 2]},
        "statements seen on the wire": "select 1",
        "yourself": "psql\n\\d",
    }
    lines = _lines(report_of(replace(failed, evidence=evidence)))
    start = next(index for index, line in enumerate(lines) if "rows expected" in line)
    assert lines[start : start + 8] == [
        "           rows expected   3",
        "           too many        (1, 'ada')",
        "                           2",
        '           counts          {"ü": [1, 2]}',
        "                           statements seen on the wire:",
        "                           select 1",
        "           yourself        psql",
        "                           \\d",
    ]
    assert not [line for line in lines if "missing" in line or "nothing" in line]


def test_a_plan_before_alone_keeps_its_name(report_of: ReportOf, failed: CheckResult) -> None:
    assert "plan before   Sort" in _text(report_of(replace(failed, evidence={"plan before": "Sort"})))


@pytest.mark.parametrize(
    "change",
    [
        {"seen": "x" * 5000},
        {"expected": "1\n2", "seen": "\n".join(map(str, range(90)))},
        {"message": "line\n" * 40},
        {"evidence": {"plan": "node\n" * 40}},
    ],
)
def test_what_is_cut_short_says_where_it_is_whole(
    report_of: ReportOf, failed: CheckResult, change: dict[str, object]
) -> None:
    whole, cut = _lines(report_of(failed)), _lines(report_of(replace(failed, **change)))  # type: ignore[arg-type]
    assert f"    {WHOLE}" not in whole
    assert cut[cut.index("  Some of this is cut short. It is whole in:") + 1] == f"    {WHOLE}"
    assert len(cut) < 60


def test_markup_in_a_learners_text_is_only_text(report_of: ReportOf, failed: CheckResult) -> None:
    evil = "[red]x[/red] [link=file:///etc]y[/link] :smile: {0} %s $HOME"
    text = _text(report_of(replace(failed, message=evil, expected=None, seen=evil)), 200, colour=True)
    assert text.count(evil) == 2


def test_a_run_without_services_names_none(report_of: ReportOf, passed: CheckResult) -> None:
    assert _lines(report_of(passed, services=()))[0].endswith("isolation strict · seed 4711")
    assert "postgres" not in _text(report_of(passed, services=()))
