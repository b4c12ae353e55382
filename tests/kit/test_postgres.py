from collections.abc import Callable
from typing import Any

import pytest

from labrunner.kit import NotJudged, Postgres
from labrunner.kit.context import Context
from labrunner.model import Endpoint


def test_a_database_is_leased_with_its_parameters(leases: Any, make_context: Callable[..., Context]) -> None:
    with Postgres(make_context()) as postgres, postgres.database(rows=10, name="x") as database:
        assert leases.asked[-1] == {"rows": 10, "name": "x"}
        assert database.run("select 1").rows == [(1,)]


def test_databases_still_open_are_given_back_at_the_end(
    leases: Any, make_context: Callable[..., Context]
) -> None:
    before = list(leases.held)
    with Postgres(make_context()) as postgres:
        first, second = postgres.database(), postgres.database()
        first.close()
        assert leases.held == [*before, second.endpoint.lease]
    assert leases.held == before


def test_the_version_is_known_with_or_without_a_database(
    leases: Any, make_context: Callable[..., Context]
) -> None:
    before = list(leases.held)
    with Postgres(make_context()) as postgres:
        assert postgres.version == "test"
        assert leases.held == before
        assert postgres.version == "test"


def test_a_lease_that_cannot_be_entered_is_given_back(
    leases: Any, make_context: Callable[..., Context]
) -> None:
    class Closed:
        def lease(self, service: str, parameters: Any) -> Endpoint:
            endpoint: Endpoint = leases.lease(service, parameters)
            return Endpoint(
                endpoint.lease,
                service,
                "embedded",
                "test",
                "/nowhere",
                1,
                "x",
                endpoint.learner,
                endpoint.observer,
            )

        def give_back(self, lease_id: str) -> None:
            leases.give_back(lease_id)

    before = list(leases.held)
    with (
        Postgres(make_context(leases=Closed())) as postgres,
        pytest.raises(NotJudged, match="does not answer"),
    ):
        postgres.database()
    assert leases.held == before
