from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner import catalogue
from labrunner.model import Check

Write = Callable[[str, str], Path]
Refusal = Callable[[], str]

FILE = "graders/shop/test_ranges.py"
GOOD = 'def test_good():\n    """Good."""\n'


def test_checks_are_read_in_order_with_their_facts(tree: Path) -> None:
    first, second = catalogue.load(tree, "shop").stages[0].checks
    assert first == Check(
        id="email-lookup",
        stage="lookups",
        sentence="Finding a customer by email reads a handful of pages.",
        points=1,
        needs=(),
        hints=3,
        file=tree / "graders/shop/test_lookups.py",
        line=8,
    )
    assert second == Check(
        id="growth-is-flat",
        stage="lookups",
        sentence="Ten times more customers cost nothing more.",
        points=3,
        needs=("email-lookup",),
        hints=0,
        file=tree / "graders/shop/test_lookups.py",
        line=15,
    )


def test_nothing_of_the_grader_is_run(tree: Path, write: Write) -> None:
    write(FILE, f"import no_such_module\nraise SystemExit\n{GOOD}")
    assert [check.id for check in catalogue.load(tree, "shop").stages[1].checks] == ["good"]


def test_a_check_may_need_one_of_an_earlier_stage(tree: Path, write: Write) -> None:
    write(FILE, f'from labrunner import kit\n@kit.check(needs=("growth-is-flat",))\n{GOOD}')
    (check,) = catalogue.load(tree, "shop").stages[1].checks
    assert check.needs == ("growth-is-flat",)
    assert check.points == 1


def test_other_decorators_functions_and_classes_are_left_alone(tree: Path, write: Write) -> None:
    source = f"""
import hypothesis
class Shop:
    def test_me(self): ...
async def fetch(): ...
if hypothesis:
    def helper(): ...
@hypothesis.settings(derandomize=True)
@marks[0]
{GOOD}
    def test_inner(): ...
"""
    write(FILE, source)
    assert [check.id for check in catalogue.load(tree, "shop").stages[1].checks] == ["good"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def test_x(:\n", "1: not valid Python: invalid syntax"),
        ("x = 1\n\n\n", " has no check | write a function test_<check> with a docstring"),
        ("def test_x(): ...\n", "1: 'test_x' has no docstring | write the one sentence"),
        ('def test_x():\n    """ """\n', "1: 'test_x' has no docstring"),
        ('def test_x():\n    """One.\n\n    Two."""\n', "1: the docstring of 'test_x' must be one sentence"),
        ('def test_x():\n    """One \\x1b."""\n', "1: the docstring of 'test_x' must be one sentence"),
        (GOOD.replace("good", "Good"), "1: 'test_Good' is not a check's name | name it test_<words>"),
        (GOOD.replace("good", "a__b"), "1: 'test_a__b' is not a check's name"),
        (GOOD.replace("test_good", "testgood"), "1: 'testgood' is not a check's name"),
        (f"class TestShop: ...\n{GOOD}", "1: 'TestShop' is a test class | write plain test functions"),
        (f"class Shop(unittest.TestCase): ...\n{GOOD}", "1: 'Shop' is a test class"),
        (f"class Shop(make()(1), case.AsyncTestCase): ...\n{GOOD}", "1: 'Shop' is a test class"),
        (f"async {GOOD}", "1: 'test_good' is an async test | write `def`, not `async def`"),
        (f"def pytest_generate_tests(metafunc): ...\n{GOOD}", "1: tests are parametrised here"),
        (f"if x:\n    def test_y(): ...\n{GOOD}", "2: 'test_y' is a test on a condition | move it to the"),
        (f"try: ...\nexcept E:\n    def test_y(): ...\n{GOOD}", "3: 'test_y' is a test on a condition"),
        (f"match x:\n  case 1:\n    def test_y(): ...\n{GOOD}", "3: 'test_y' is a test on a condition"),
        (f"for x in y: ...\nelse:\n    def test_y(): ...\n{GOOD}", "3: 'test_y' is a test on a condition"),
        (f"@pytest.mark.parametrize('x', [1])\n{GOOD}", "1: 'test_good' is marked 'parametrize'"),
        (f"@mark.skip\n{GOOD}", "1: 'test_good' is marked 'skip' | remove the mark: every check runs"),
        (f"@check\n{GOOD}", "1: @check takes named arguments only | write for example @check(points=2"),
        (f"@check(3)\n{GOOD}", "1: @check takes named arguments only"),
        (f"@check(**options)\n{GOOD}", "1: @check takes named arguments only"),
        (f"@check(points=1)\n@check(points=2)\n{GOOD}", "2: 'test_good' has @check twice | keep one of them"),
        (f"@check(point=1)\n{GOOD}", "1: @check has no argument 'point' | did you mean 'points'?"),
        (f"@check(zzz=1)\n{GOOD}", "1: @check has no argument 'zzz' | known arguments: points, needs"),
        (f"@check(points=N)\n{GOOD}", "1: `points` must be a literal whole number, at least 1"),
        (f"@check(points=True)\n{GOOD}", "1: `points` must be a literal whole number, at least 1"),
        (f"@check(points=0)\n{GOOD}", "1: `points` must be a literal whole number, at least 1"),
        (f"@check(needs='x')\n{GOOD}", "1: `needs` must be a literal list of check ids"),
        (f"@check(needs=[1])\n{GOOD}", "1: `needs` must be a literal list of check ids"),
        (f"@check(needs=[*ALL])\n{GOOD}", "1: `needs` must be a literal list of check ids"),
        (f"@check(needs=['email_lookup'])\n{GOOD}", "2: 'good' needs the unknown check 'email_lookup' | did"),
        (f"@check(needs=['zzz'])\n{GOOD}", "unknown check 'zzz' | checks of this lab: email-lookup, good,"),
        (f"@check(needs=['good'])\n{GOOD}", "2: 'good' needs 'good', which does not run before it | move"),
        (GOOD.replace("good", "email_lookup"), "1: the check 'email-lookup' is already in graders/shop/"),
        (f"{GOOD}\n{GOOD}", "4: the check 'good' is already in graders/shop/test_ranges.py:1 | rename one"),
    ],
)  # fmt: skip
def test_a_test_file_that_cannot_be_counted_on_is_refused_with_its_line(
    write: Write, refusal: Refusal, source: str, message: str
) -> None:
    write(FILE, source)
    said = refusal()
    assert said.startswith(FILE)
    assert message in said.removeprefix(f"{FILE}:")


@pytest.mark.parametrize("source", [b"x = '\0'", b"x = '\xff'"])
def test_a_test_file_that_is_not_text_is_refused(tree: Path, refusal: Refusal, source: bytes) -> None:
    (tree / FILE).write_bytes(source)
    assert refusal().startswith(FILE)


def test_a_check_that_needs_a_later_one_is_refused(
    refusal: Refusal, replace: Callable[[str, str, str], None]
) -> None:
    replace("graders/shop/test_lookups.py", '["email-lookup"]', '["a-range-reads-its-rows-only"]')
    message = "graders/shop/test_lookups.py:15: 'growth-is-flat' needs 'a-range-reads-its-rows-only', "
    assert refusal().startswith(message + "which does not run before it")
