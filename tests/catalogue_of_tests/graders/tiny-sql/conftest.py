import pytest


@pytest.fixture(scope="session")
def goods(postgres, learner):
    with postgres.database() as database:
        database.apply(learner.script("setup.sql"))
        database.vacuum_analyze()
        yield database
