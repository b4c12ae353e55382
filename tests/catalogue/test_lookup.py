from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner import catalogue
from labrunner.errors import AuthoringError, UsageError


def refused(root: Path, slug: str) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        catalogue.find(root, slug)
    return str(caught.value), caught.value.hint


def test_a_written_lab_is_found(tree: Path) -> None:
    assert catalogue.find(tree, "shop").title == "Make a slow shop fast"


@pytest.mark.parametrize("typed", ["shpo", "Shop", "shop/"])
def test_a_mistyped_slug_is_answered_with_the_nearest_one(tree: Path, typed: str) -> None:
    assert refused(tree, typed) == (f"there is no lab {typed!r}", "did you mean 'shop'?")


def test_planned_labs_count_as_known_words(tree: Path) -> None:
    assert refused(tree, "legder") == ("there is no lab 'legder'", "did you mean 'ledger'?")


def test_a_planned_lab_is_refused_and_the_written_ones_are_named(tree: Path) -> None:
    assert refused(tree, "ledger") == (
        "the lab 'ledger' is planned, but not written yet",
        "available now: shop; `labrunner list` shows all",
    )


def test_only_the_first_written_labs_are_named(tree: Path, add_lab: Callable[..., None]) -> None:
    for slug in "abcdefgh":
        add_lab(slug)
    hint = "available now: a, b, c, d, e, f and 3 more; `labrunner list` shows all"
    assert refused(tree, "0000") == ("there is no lab '0000'", hint)


def test_an_empty_catalogue_says_so(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    assert refused(tmp_path, "shop") == ("there is no lab 'shop'", "no lab of this catalogue is written yet")


@pytest.mark.parametrize(
    "typed",
    ["../shop", "/etc", ".", "", "shop\0", "shop\n", "x" * 5000, "-shop", "a--b", "schöp", "\x1b[31m"],
)
def test_what_cannot_be_a_slug_is_never_used_as_a_path(tree: Path, typed: str) -> None:
    message, hint = refused(tree, typed)
    assert message.startswith("there is no lab ")
    assert message.isprintable()
    assert len(message) < 100
    assert hint


def test_a_folder_without_a_lab_toml_is_the_authors_mistake(tree: Path) -> None:
    (tree / "labs" / "bakery").mkdir()
    with pytest.raises(AuthoringError, match=r"^labs/bakery/lab\.toml is missing$"):
        catalogue.find(tree, "bakery")


def test_another_labs_broken_files_do_not_matter(tree: Path, add_lab: Callable[..., None]) -> None:
    add_lab("bakery")
    (tree / "labs/bakery/lab.toml").write_text("format = ")
    (tree / "graders/bakery/test_lookups.py").write_text("def")
    assert catalogue.find(tree, "shop").slug == "shop"
    assert refused(tree, "bakerj") == ("there is no lab 'bakerj'", "did you mean 'bakery'?")
