"""The Postgres of one grade run: where a grader gets databases from."""

from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from labrunner.kit.context import Context
from labrunner.kit.database import Database
from labrunner.model import Endpoint, Parameter

SERVICE: Final = "postgres"


class Postgres:
    """Gives fresh databases; a context manager that gives back those still open at its end."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open = ExitStack()
        self._version = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def database(self, **parameters: Parameter) -> Database:
        """Return a fresh database, seeded with these parameters in place of the lab's defaults.

        It may be used as a context manager; otherwise it is given back at the end of the run.
        """
        endpoint = self._context.leases.lease(SERVICE, parameters)
        self._version = endpoint.version
        return self._entered(endpoint)

    @property
    def version(self) -> str:
        """The server's version, like "18.6"."""
        if not self._version:
            self.database().close()
        return self._version

    def _entered(self, endpoint: Endpoint) -> Database:
        leases = self._context.leases

        def give_back() -> None:
            leases.give_back(endpoint.lease)

        try:
            database = Database(endpoint, self._context.limits, give_back)
        except BaseException:
            give_back()
            raise
        self._open.callback(database.close)
        return database
