import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner import catalogue
from labrunner.errors import AuthoringError

ROADMAP = """\
format = 1

[[phase]]
number = 3
title = "Databases"

[[phase.section]]
title = "SQL databases"

[[phase.section.topic]]
title = "Indexes"
lab = "shop"
interface = "sql"
services = ["postgres"]
build = "Indexes for a shop."
checks = "Blocks read."
x1000 = "Growth stays flat."

[[phase.section.topic]]
title = "Ledgers"
lab = "ledger"
interface = "http"
services = ["postgres", "kafka"]
languages = ["python", "go"]
build = "A ledger."
checks = "Sums."
x1000 = "No convoy."
"""

LAB = """\
format = 1
slug = "shop"
title = "Make a slow shop fast"
topic = "Indexes"
minutes = 90
difficulty = "intermediate"
teaches = ["reading a plan"]
requires = []
interface = "sql"
stages = ["lookups", "ranges"]

[services.postgres]
seed = "seed.sql"
parameters = { rows = 50000, locale = "C" }

[files]
learner = ["indexes.sql", "queries/*.sql"]
provided = ["schema.sql"]

[limits]
statement_s = 5
"""

LOOKUPS = '''\
from labrunner.kit import check


def rows():
    """Not a check."""


def test_email_lookup():
    """Finding a customer
    by email reads a handful of pages.
    """


@check(points=3, needs=["email-lookup"])
def test_growth_is_flat():
    """Ten times more customers cost nothing more."""
'''

RANGES = '''\
def test_a_range_reads_its_rows_only():
    """A range reads its rows only."""
'''

FILES = {
    "labs/roadmap.toml": ROADMAP,
    "labs/shop/lab.toml": LAB,
    "labs/shop/README.md": "# Shop\n",
    "labs/shop/stages/lookups.md": "\n```sh\n# no heading\n```\n\n# Look things up\n\n# Another\n",
    "labs/shop/stages/ranges.md": "# Ranges\n",
    "labs/shop/hints/email-lookup.md": "Look.\n---\nHarder.\n---\nAt this.\n",
    "labs/shop/starter/indexes.sql": "-- yours\n",
    "labs/shop/starter/schema.sql": "-- ours\n",
    "graders/shop/seed.sql": "select 1;\n",
    "graders/shop/test_lookups.py": LOOKUPS,
    "graders/shop/test_ranges.py": RANGES,
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A right catalogue: the lab `shop` and the planned lab `ledger`."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.fixture
def write(tree: Path) -> Callable[[str, str], Path]:
    """write(name, text) makes or replaces a file of the tree."""

    def write(name: str, text: str) -> Path:
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    return write


@pytest.fixture
def replace(tree: Path) -> Callable[[str, str, str], None]:
    """replace(name, old, new) changes the one place of a file where `old` stands."""

    def replace(name: str, old: str, new: str) -> None:
        text = (tree / name).read_text()
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        (tree / name).write_text(text.replace(old, new))

    return replace


@pytest.fixture
def add_lab(tree: Path) -> Callable[..., None]:
    """add_lab(slug, requires=...) adds a copy of `shop` under another name; the roadmap goes away."""

    def add_lab(slug: str, *, requires: tuple[str, ...] = ()) -> None:
        (tree / "labs/roadmap.toml").unlink(missing_ok=True)
        for name, text in FILES.items():
            if "/shop/" in name:
                file = tree / name.replace("/shop/", f"/{slug}/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        toml = LAB.replace('slug = "shop"', f'slug = "{slug}"')
        wanted = ", ".join(f'"{name}"' for name in requires)
        (tree / "labs" / slug / "lab.toml").write_text(
            toml.replace("requires = []", f"requires = [{wanted}]")
        )

    return add_lab


@pytest.fixture
def refusal(tree: Path) -> Callable[[], str]:
    """refusal() loads the lab `shop`, which must be refused, and returns `message | remedy`."""

    def refusal() -> str:
        with pytest.raises(AuthoringError) as caught:
            catalogue.load(tree, "shop")
        assert caught.value.hint, "an error without a remedy"
        return f"{caught.value} | {caught.value.hint}"

    return refusal
