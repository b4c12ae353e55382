import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labrunner.errors import AuthoringError
from labrunner.kit import Failure, Script, SqlFiles, Statement


@pytest.fixture
def files(tmp_path: Path) -> SqlFiles:
    (tmp_path / "queries").mkdir()
    return SqlFiles(tmp_path, ("indexes.sql", "queries/*.sql", "deep/**/*.sql", "deep/**"), 1000)


def write(files: SqlFiles, name: str, text: str | bytes) -> None:
    path = files.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def failure(files: SqlFiles, name: str) -> Failure:
    with pytest.raises(Failure) as caught:
        files.script(name)
    return caught.value


def test_a_script_is_its_statements_with_their_lines(files: SqlFiles) -> None:
    write(files, "indexes.sql", "-- mine\ncreate index a on t (x);\ncreate index b on t (y);\n")
    assert files.script("indexes.sql") == Script(
        "indexes.sql",
        (
            Statement("create index a on t (x)", 2, "indexes.sql"),
            Statement("create index b on t (y)", 3, "indexes.sql"),
        ),
    )


def test_a_query_is_the_one_statement_of_its_file(files: SqlFiles) -> None:
    write(files, "queries/a.sql", "\ufeffselect 1;\n-- done\n")
    assert files.query("queries/a.sql") == Statement("select 1", 1, "queries/a.sql")


def test_two_statements_are_no_query(files: SqlFiles) -> None:
    write(files, "queries/a.sql", "select 1;\nselect 2;")
    with pytest.raises(Failure, match=r"^queries/a\.sql holds more than one statement$") as caught:
        files.query("queries/a.sql")
    assert caught.value.seen == "2 statements, the second one in line 2"


def test_a_missing_file_is_named(files: SqlFiles) -> None:
    assert failure(files, "indexes.sql").message == "indexes.sql is missing"
    assert failure(files, "deep/er/a.sql").message == "deep/er/a.sql is missing"


def test_a_missing_workspace_is_a_missing_file(tmp_path: Path) -> None:
    assert failure(SqlFiles(tmp_path / "gone", ("*.sql",), 10), "a.sql").message == "a.sql is missing"


def test_an_empty_file_and_one_of_comments_are_told_apart(files: SqlFiles) -> None:
    write(files, "indexes.sql", " \n")
    assert failure(files, "indexes.sql").message == "indexes.sql is empty"
    write(files, "indexes.sql", "-- to do\n")
    assert failure(files, "indexes.sql").message == "indexes.sql holds only comments"


def test_a_quote_without_an_end_is_named_with_its_line(files: SqlFiles) -> None:
    write(files, "indexes.sql", "select 1;\nselect 'x")
    assert failure(files, "indexes.sql").message == "indexes.sql, line 2: a text in quotes has no end"


def test_binary_data_is_no_script(files: SqlFiles) -> None:
    write(files, "indexes.sql", b"select 1;\0")
    assert (
        failure(files, "indexes.sql").message
        == "indexes.sql is not a text file: it holds bytes that are zero"
    )


def test_text_in_another_encoding_is_named_with_its_line(files: SqlFiles) -> None:
    write(files, "indexes.sql", "select 1;\n-- größe".encode("latin-1"))
    assert failure(files, "indexes.sql").message == "indexes.sql, line 2: not text in UTF-8"


def test_a_large_file_is_not_read(files: SqlFiles) -> None:
    write(files, "indexes.sql", b"")
    with (files.folder / "indexes.sql").open("r+b") as file:
        file.truncate(100_000_000)
    caught = failure(files, "indexes.sql")
    assert (caught.message, caught.expected, caught.seen) == (
        "indexes.sql is too large",
        "at most 1 000 bytes",
        "100 000 000 bytes or more",
    )


def test_a_file_that_holds_more_than_its_size_says_is_not_read_on() -> None:
    caught = failure(SqlFiles(Path("/proc/self"), ("status",), 10), "status")
    assert (caught.message, caught.seen) == ("status is too large", "11 bytes or more")


def test_a_link_is_not_followed(files: SqlFiles, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("other") / "secret.sql"
    secret.write_text("select 'secret'", encoding="utf-8")
    (files.folder / "indexes.sql").symlink_to(secret)
    caught = failure(files, "indexes.sql")
    assert (caught.message, caught.expected) == ("indexes.sql is a link", "a regular file")


def test_a_link_in_the_place_of_a_folder_is_not_followed(
    files: SqlFiles, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "a.sql").write_text("select 'secret'", encoding="utf-8")
    (files.folder / "queries").rmdir()
    (files.folder / "queries").symlink_to(other)
    caught = failure(files, "queries/a.sql")
    assert (caught.message, caught.expected) == ("queries is a link", "a folder")


def test_a_file_in_the_place_of_a_folder_is_refused(files: SqlFiles) -> None:
    (files.folder / "queries").rmdir()
    write(files, "queries", "select 1")
    assert failure(files, "queries/a.sql").message == "queries is a file"


def test_a_folder_a_pipe_and_a_socket_are_no_files_and_nobody_waits_for_them(files: SqlFiles) -> None:
    (files.folder / "queries/folder.sql").mkdir()
    os.mkfifo(files.folder / "queries/pipe.sql")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(files.folder / "queries/socket.sql"))
        assert failure(files, "queries/folder.sql").message == "queries/folder.sql is a folder"
        assert failure(files, "queries/pipe.sql").message == "queries/pipe.sql is a pipe"
        assert failure(files, "queries/socket.sql").message == "queries/socket.sql is a socket"


def test_a_device_is_no_file() -> None:
    assert failure(SqlFiles(Path("/dev"), ("null",), 10), "null").message == "null is a device"


@pytest.fixture
def as_ordinary_user() -> Iterator[None]:
    """For a test that root would pass by being root."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    yield
    os.seteuid(own)


@pytest.mark.usefixtures("as_ordinary_user")
def test_a_file_that_may_not_be_opened_says_why() -> None:
    with tempfile.TemporaryDirectory() as name:
        files = SqlFiles(Path(name), ("a.sql",), 10)
        write(files, "a.sql", "select 1")
        (files.folder / "a.sql").chmod(0)
        assert failure(files, "a.sql").message == "a.sql cannot be read: Permission denied"


def test_a_file_that_may_not_be_read_says_why() -> None:
    # Nobody can read this one at its beginning.
    caught = failure(SqlFiles(Path("/proc/self"), ("mem",), 10), "mem")
    assert caught.message == "mem cannot be read: Input/output error"


def test_descriptors_are_given_back(files: SqlFiles) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    (files.folder / "queries/folder.sql").mkdir()
    write(files, "indexes.sql", "select 1")
    for name in ("queries/folder.sql", "queries/none.sql"):
        failure(files, name)
    files.script("indexes.sql")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["deep/a.sql", "deep/er/a.sql", "deep/er/still/a.sql", "deep/er/plain"])
def test_two_stars_stand_for_any_number_of_folders(files: SqlFiles, name: str) -> None:
    write(files, name, "select 1")
    assert len(files.script(name).statements) == 1


@pytest.mark.parametrize(
    "name",
    [
        "other.sql",
        "queries/in/a.sql",
        "queries/../indexes.sql",
        "../indexes.sql",
        "/indexes.sql",
        "",
        "queries",
        ".",
    ],
)
def test_a_grader_reads_only_what_the_lab_names_as_the_learners(files: SqlFiles, name: str) -> None:
    with pytest.raises(AuthoringError, match="which is not among the learner's files") as caught:
        files.script(name)
    assert (
        caught.value.hint
        == "add a pattern for it to [files] learner in lab.toml, or read a file that is there"
    )
