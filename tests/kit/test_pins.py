from labrunner.kit.pins import learner_options, observer_options, options


def test_blanks_and_backslashes_in_settings_are_escaped() -> None:
    assert options({"a": "x y", "b": "\\z", "c": ""}) == "-c a=x\\ y -c b=\\\\z -c c="


def test_the_learners_settings_are_the_servers_unless_we_choose() -> None:
    words = learner_options(
        [("work_mem", "4096"), ("jit", "on"), ("client_encoding", "SQL_ASCII"), ("unknown", None)], 2.5
    ).split(" -c ")
    assert "-c work_mem=4096" in words[0]
    assert "jit=off" in words
    assert "statement_timeout=2500" in words
    assert not [word for word in words if "encoding" in word or "unknown" in word]


def test_the_observer_reads_only_and_resolves_names_in_the_systems_schema() -> None:
    assert "-c search_path=pg_catalog" in observer_options()
    assert "-c default_transaction_read_only=on" in observer_options()
