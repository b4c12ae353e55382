import os
from collections.abc import Callable
from pathlib import Path

import pytest

from labrunner import catalogue
from labrunner.errors import UsageError
from labrunner.model import FileRoles, Limits, ServiceSpec

Write = Callable[[str, str], Path]
Replace = Callable[[str, str, str], None]
Refusal = Callable[[], str]
AddLab = Callable[..., None]

TOML = "labs/shop/lab.toml"


def test_a_right_lab_is_loaded_whole(tree: Path) -> None:
    lab = catalogue.load(tree, "shop")
    assert (lab.slug, lab.title, lab.topic) == ("shop", "Make a slow shop fast", "Indexes")
    assert (lab.minutes, lab.difficulty, lab.interface) == (90, "intermediate", "sql")
    assert (lab.teaches, lab.requires) == (("reading a plan",), ())
    seed = tree / "graders/shop/seed.sql"
    assert lab.services == (ServiceSpec("postgres", seed, {"rows": 50000, "locale": "C"}),)
    assert lab.files == FileRoles(learner=("indexes.sql", "queries/*.sql"), provided=("schema.sql",))
    assert lab.limits == Limits(statement_s=5.0)
    assert (lab.folder, lab.grader) == (tree / "labs/shop", tree / "graders/shop")
    assert [stage.id for stage in lab.stages] == ["lookups", "ranges"]
    assert [len(stage.checks) for stage in lab.stages] == [2, 1]
    assert lab.stages[0].page == tree / "labs/shop/stages/lookups.md"
    assert lab.stages[0].tests == tree / "graders/shop/test_lookups.py"


def test_a_stages_title_is_the_first_heading_outside_of_code(tree: Path) -> None:
    assert [stage.title for stage in catalogue.load(tree, "shop").stages] == ["Look things up", "Ranges"]


def test_what_is_optional_may_be_left_out(tree: Path) -> None:
    text = (tree / TOML).read_text()
    services, limits = text.index("[services.postgres]"), text.index("[limits]")
    files = text[text.index("[files]") : limits].replace('provided = ["schema.sql"]\n', "")
    (tree / TOML).write_text(text[:services].replace("requires = []\n", "") + files)
    lab = catalogue.load(tree, "shop")
    assert lab.services == ()
    assert lab.requires == ()
    assert lab.files.provided == ()
    assert lab.limits == Limits()


def test_a_service_may_start_empty(tree: Path, replace: Replace) -> None:
    replace(TOML, 'seed = "seed.sql"\n', "")
    replace(TOML, 'parameters = { rows = 50000, locale = "C" }\n', "")
    assert catalogue.load(tree, "shop").services == (ServiceSpec("postgres"),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "key 'format' must be 1, found 2 | write format = 1, or upgrade"),
        ("format = 1\n", "", "key 'format' is missing"),
        ('slug = "shop"', 'slug = "shops"', "key 'slug' must be the folder's name 'shop', found 'shops'"),
        ("minutes = 90", 'minutes = "90"', "key 'minutes' must be a whole number, found a string: '90'"),
        ("minutes = 90", "minutes = 2020-01-01", "key 'minutes' must be a whole number, found a date"),
        ("intermediate", "intermediat", "key 'difficulty' must be one of beginner, intermediate, advanced;"),
        ('interface = "sql"', 'interface = "SQL"', "found 'SQL' | did you mean 'sql'?"),
        ("teaches", "teachs", "key 'teaches' is missing | rename 'teachs' to 'teaches'"),
        ("requires = []", "require = []", "key 'require' is unknown | did you mean 'requires'?"),
        ("requires = []", 'requires = ["../x"]', "key 'requires' must hold names, found '../x'"),
        ('"ranges"]', '"lookups"]', "key 'stages' holds 'lookups' twice"),
        ('"ranges"]', '"ran/ges"]', "key 'stages' must hold names, found 'ran/ges'"),
        ("[services.postgres]", "[services.postgers]", "key 'services.postgers' is not a known service |"),
        ("[services.postgres]", "[services.kafka]", "not a known service | known services: postgres, "),
        ("seed = ", "sead = ", "key 'services.postgres.sead' is unknown | did you mean 'seed'?"),
        ('seed = "seed.sql"', "seed = 1", "key 'services.postgres.seed' must be a string, found a whole"),
        ('"seed.sql"', '"../seed.sql"', "key 'services.postgres.seed' must stay inside its folder, "),
        ('"seed.sql"', '"sead.sql"', "key 'services.postgres.seed' names a missing file: graders/"),
        ("rows = 50000", "rows = 1.5", "key 'services.postgres.parameters.rows' must be a whole number or"),
        ("rows = 50000", "Rows = 1", "key 'services.postgres.parameters.Rows' is not a parameter's name"),
        ('["indexes.sql", "queries/*.sql"]', "[]", "key 'files.learner' must not be empty"),
        ('"indexes.sql"', '"/etc/*"', "key 'files.learner' must stay inside its folder, found '/etc/*'"),
        ('"indexes.sql"', '"a\\\\b"', r"key 'files.learner' must stay inside its folder, found 'a\\b'"),
        ("provided", "provide", "key 'files.provide' is unknown | did you mean 'provided'?"),
        ("statement_s = 5", "statement_s = 0", "key 'limits.statement_s' must be above 0, found 0"),
        ("statement_s", "statements", "key 'limits.statements' is unknown | did you mean 'statement_s'?"),
        ('topic = "Indexes"', 'topic = "Indices"', "key 'topic' must be the roadmap's 'Indexes', found"),
        ("[files]", "[files", ", line 16, column 7: not valid TOML: Expected ']'"),
        ("requires = []", 'requires = ["lodger"]', "names the lab 'lodger', which does not exist | did you"),
        ("requires = []", 'requires = ["zz"]', "which does not exist | known labs: ledger, shop"),
        ("requires = []", 'requires = ["shop"]', "key 'requires' makes a circle: shop -> shop | remove"),
    ],
)  # fmt: skip
def test_a_lab_toml_that_is_written_wrongly_is_refused_with_file_key_and_remedy(
    replace: Replace, refusal: Refusal, old: str, new: str, message: str
) -> None:
    replace(TOML, old, new)
    said = refusal()
    assert said.startswith(TOML)
    assert message in said


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (TOML, f"{TOML} is missing | write {TOML}"),
        ("labs/shop/README.md", "the brief is missing: labs/shop/README.md | write labs/shop/README.md"),
        (
            "labs/shop/stages/ranges.md",
            f"{TOML}: key 'stages': stage 'ranges' has no page: labs/shop/stages/ranges.md | write",
        ),
        (
            "graders/shop/test_ranges.py",
            f"{TOML}: key 'stages': stage 'ranges' has no tests: graders/shop/test_ranges.py | write",
        ),
        (
            "graders/shop/seed.sql",
            f"{TOML}: key 'services.postgres.seed' names a missing file: graders/shop/seed.sql",
        ),
    ],
)
def test_a_missing_file_is_named_with_the_key_that_wants_it(
    tree: Path, refusal: Refusal, missing: str, message: str
) -> None:
    (tree / missing).unlink()
    assert refusal().startswith(message)


def test_a_missing_grader_is_named(tree: Path, refusal: Refusal) -> None:
    (tree / "graders/shop").rename(tree / "elsewhere")
    assert refusal() == "graders/shop is missing | write the checks into graders/shop"


@pytest.mark.parametrize("keep_folder", [True, False])
def test_a_lab_without_a_starter_is_refused(tree: Path, refusal: Refusal, *, keep_folder: bool) -> None:
    for file in (tree / "labs/shop/starter").iterdir():
        file.unlink()
    if not keep_folder:
        (tree / "labs/shop/starter").rmdir()
    assert refusal().startswith("labs/shop/starter has no files | put what the learner starts from into ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("labs/shop/readme.md", "labs/shop/readme.md is unknown: a lab has lab.toml, README.md, "),
        (
            "labs/shop/zzz",
            "labs/shop/zzz is unknown: a lab has lab.toml, README.md, stages, hints, starter | rem",
        ),
        ("labs/shop/stages/more.md", f"labs/shop/stages/more.md belongs to no stage of {TOML} | name its"),
        (
            "labs/shop/hints/email-lookup.txt",
            "labs/shop/hints/email-lookup.txt is unknown: hints are <check>.md",
        ),
        (
            "labs/shop/hints/email_lookup.md",
            "labs/shop/hints/email_lookup.md has no check 'email_lookup' | did",
        ),
        (
            "labs/shop/hints/zzz.md",
            "labs/shop/hints/zzz.md has no check 'zzz' | rename it to one of the checks: ",
        ),
        ("graders/shop/test_more.py", f"graders/shop/test_more.py belongs to no stage of {TOML} | name its"),
    ],
)
def test_a_file_that_nothing_uses_is_refused(write: Write, refusal: Refusal, name: str, message: str) -> None:
    write(name, "text")
    assert refusal().startswith(message)


@pytest.mark.parametrize("name", ["labs/shop/.DS_Store", "labs/shop/hints/.x", "graders/shop/oracle.py"])
def test_hidden_files_and_the_graders_own_modules_are_left_alone(tree: Path, write: Write, name: str) -> None:
    write(name, "text")
    assert catalogue.load(tree, "shop").slug == "shop"


def test_a_lab_without_hints_is_right(tree: Path) -> None:
    (tree / "labs/shop/hints/email-lookup.md").unlink()
    (tree / "labs/shop/hints").rmdir()
    assert [check.hints for stage in catalogue.load(tree, "shop").stages for check in stage.checks] == [
        0,
        0,
        0,
    ]


@pytest.mark.parametrize("text", ["", "---\nLook.\n", "Look.\n---\n \n---\nHarder.\n", "Look.\r\n---\r\n"])
def test_an_empty_hint_level_is_refused(write: Write, refusal: Refusal, text: str) -> None:
    write("labs/shop/hints/email-lookup.md", text)
    assert refusal().startswith("labs/shop/hints/email-lookup.md has an empty level | write text before and")


@pytest.mark.parametrize("text", ["", "## Small\n", "#hash\n", "# \n", "```\n# code\n```\n"])
def test_a_page_without_a_heading_is_refused(write: Write, refusal: Refusal, text: str) -> None:
    write("labs/shop/stages/ranges.md", text)
    assert refusal() == "labs/shop/stages/ranges.md has no heading | begin the page with a line `# Title`"


def test_a_page_that_is_not_utf8_is_refused(tree: Path, refusal: Refusal) -> None:
    (tree / "labs/shop/stages/ranges.md").write_bytes(b"# \xff\n")
    assert refusal() == "labs/shop/stages/ranges.md is not UTF-8 text | save the file as UTF-8"


def test_a_lab_that_is_not_on_the_roadmap_is_refused(replace: Replace, refusal: Refusal) -> None:
    replace("labs/roadmap.toml", 'lab = "shop"', 'lab = "shops"')
    assert refusal() == (
        f"{TOML}: key 'slug': no topic of labs/roadmap.toml has the lab 'shop' | did you mean 'shops'?"
    )
    replace("labs/roadmap.toml", 'lab = "shops"', 'lab = "zzz"')
    assert refusal().endswith('| add a topic with lab = "shop" to labs/roadmap.toml')


def test_without_a_roadmap_any_topic_is_right(tree: Path, add_lab: AddLab) -> None:
    add_lab("bakery")
    assert catalogue.load(tree, "bakery").topic == "Indexes"


def test_a_planned_lab_may_be_required(tree: Path, replace: Replace) -> None:
    replace(TOML, "requires = []", 'requires = ["ledger"]')
    assert catalogue.load(tree, "shop").requires == ("ledger",)


def test_labs_that_require_each_other_are_refused_with_the_way(add_lab: AddLab, refusal: Refusal) -> None:
    add_lab("shop", requires=("a",))
    add_lab("a", requires=("b",))
    add_lab("b", requires=("shop",))
    assert refusal() == (
        "labs/b/lab.toml: key 'requires' makes a circle: shop -> a -> b -> shop"
        " | remove one of these requirements, for example 'shop' from this file"
    )
    add_lab("b", requires=("a",))
    assert "makes a circle: a -> b -> a" in refusal()


def test_two_ways_to_one_requirement_are_no_circle(tree: Path, add_lab: AddLab) -> None:
    add_lab("shop", requires=("a", "b"))
    add_lab("a", requires=("c",))
    add_lab("b", requires=("c",))
    add_lab("c")
    assert catalogue.load(tree, "shop").requires == ("a", "b")


def test_a_required_lab_is_read_no_further_than_its_requirements(tree: Path, add_lab: AddLab) -> None:
    add_lab("shop", requires=("a",))
    add_lab("a")
    (tree / "labs/a/lab.toml").write_text('requires = []\nunknown = "key"\n')
    assert catalogue.load(tree, "shop").requires == ("a",)


def test_what_cannot_be_a_slug_is_not_loaded(tree: Path) -> None:
    with pytest.raises(UsageError, match=r"^'\.\./labs/shop' cannot be a lab's name$"):
        catalogue.load(tree, "../labs/shop")


# ── the hash ────────────────────────────────────────────────────────────────────────────────────


def test_the_hash_is_the_same_wherever_the_catalogue_is(tree: Path) -> None:
    before = catalogue.load(tree, "shop").hash
    assert len(before) == 16
    assert int(before, 16) >= 0
    moved = tree.rename(tree.with_name("moved"))
    assert catalogue.load(moved, "shop").hash == before


@pytest.mark.parametrize(
    "name",
    [TOML, "labs/shop/README.md", "labs/shop/starter/schema.sql", "graders/shop/seed.sql"],
)
def test_the_hash_changes_with_any_file(tree: Path, name: str) -> None:
    before = catalogue.load(tree, "shop").hash
    with (tree / name).open("a") as file:
        file.write("\n")
    assert catalogue.load(tree, "shop").hash != before


@pytest.mark.parametrize("name", ["labs/shop/starter/new", "labs/shop/starter/.new", "graders/shop/new"])
def test_the_hash_changes_with_a_new_file(tree: Path, write: Write, name: str) -> None:
    before = catalogue.load(tree, "shop").hash
    write(name, "")
    assert catalogue.load(tree, "shop").hash != before


def test_the_hash_changes_when_text_moves_from_one_file_to_the_next(tree: Path, write: Write) -> None:
    write("graders/shop/a", "12")
    write("graders/shop/b", "3")
    before = catalogue.load(tree, "shop").hash
    write("graders/shop/a", "1")
    write("graders/shop/b", "23")
    assert catalogue.load(tree, "shop").hash != before


@pytest.mark.parametrize(
    "name",
    [
        "graders/shop/submissions/accepted/reference/indexes.sql",
        "graders/shop/__pycache__/x.pyc",
        "graders/shop/.pytest_cache/x",
        "graders/shop/data/.hidden",
        "labs/shop/.DS_Store",
        "labs/shop/starter/__pycache__/x.pyc",
    ],
)
def test_submissions_caches_and_hidden_files_do_not_count(tree: Path, write: Write, name: str) -> None:
    before = catalogue.load(tree, "shop").hash
    write(name, "text")
    assert catalogue.load(tree, "shop").hash == before


@pytest.mark.parametrize("name", ["labs/shop/starter/x", "graders/shop/data/x"])
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_links_and_special_files_are_refused(tree: Path, refusal: Refusal, name: str, kind: str) -> None:
    (tree / name).parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(tree / name)
    else:
        (tree / name).symlink_to(tree / TOML if kind == "link" else "/nowhere")
    message = f"{name} must be a plain file or folder, found a link or a special file | replace {name} by a"
    assert refusal().startswith(message)
