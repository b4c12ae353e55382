"""Services as a grade sees them."""

from dataclasses import dataclass

from labrunner.model.words import BackendName


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password on a leased service."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A lease as data: where one grade run's own piece of a service is, and as whom it may be entered.

    `lease` names it when it is given back; `name` is the database (for Postgres). `learner` has no right
    beyond this lease; `observer` sees what the grader must see and is no superuser.
    """

    lease: str
    service: str
    backend: BackendName
    version: str
    host: str
    port: int
    name: str
    learner: Credentials
    observer: Credentials


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """A service that took part in a grade run, as the report names it."""

    name: str
    backend: BackendName
    version: str
