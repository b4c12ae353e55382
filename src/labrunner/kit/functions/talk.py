"""The talk with a learner's program: who may speak, until when, and what happens when it breaks off."""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from labrunner.errors import AuthoringError
from labrunner.kit.failures import Failure
from labrunner.kit.functions.notation import Data, MalformedError, parsed, written
from labrunner.kit.functions.wire import MESSAGE_BYTES, EndedError, LateError, Wire, WireError
from labrunner.kit.functions.wording import with_output
from labrunner.model import Json

TAGS: Final = frozenset(("value", "raised", "bad_value", "import_error", "call_back"))
NESTED: Final = 16


class Process(Protocol):
    """The process, box or container in which the program runs."""

    def kill(self) -> None:
        """End it at once, with all that it started, and come back when that is done."""
        ...

    def ending(self) -> str:
        """How it ended by itself: "exit status 1", "it used more than 512 MB"; asked when it has."""
        ...

    def words(self) -> str:
        """The end of what it printed."""
        ...


class Talk:
    """Requests to a program and its replies; in between the program may call back, and be asked again.

    Each message to the program has a nonce of its own, and the program's next message must have the same.
    Whatever goes wrong ends the program; every later request is the same failure again.
    """

    def __init__(
        self,
        connection: socket.socket,
        process: Process,
        *,
        call_s: float,
        clock: Callable[[], float],
        answer: Callable[[Data], Mapping[str, Json]],
    ) -> None:
        self._wire = Wire(connection, clock)
        self._process = process
        self._call_s = call_s
        self._clock = clock
        self._answer = answer
        self._until = 0.0
        self._why_ended = ""
        self.depth = 0

    def ask(self, request: Mapping[str, Json], doing: str) -> tuple[str, Data]:
        """Return the tag of the reply and what it holds. `doing` is what the learner reads: "add()".

        Raises Failure when there is no reply, or none that the protocol knows; and whatever the grader's own
        objects raise that is not meant for the learner's code.
        """
        self._refuse_ended(doing)
        message = self._sealed(request, doing)
        if self.depth == 0:
            self._until = self._clock() + self._call_s
        self.depth += 1
        try:
            tag, content = self._turn(*message)
            while tag == "call_back":
                tag, content = self._turn(*self._sealed(self._answer(content), doing))
        except (WireError, MalformedError) as error:
            raise self.broken(error, doing) from None
        except BaseException:
            # The program waits for an answer that will not come.
            self.end(f"the lab broke off {doing}")
            raise
        finally:
            self.depth -= 1
        return tag, content

    def check_time(self) -> None:
        """Raise LateError when the time of the outermost request is over."""
        if self._clock() >= self._until:
            raise LateError("did not reply in time")

    def broken(self, error: WireError | MalformedError, doing: str) -> Failure:
        """End the program, and return the failure in the learner's words."""
        if isinstance(error, LateError):
            message = f"{doing} did not finish within {self._call_s:g} s"
            expected, seen = f"an end within {self._call_s:g} s", "it still ran"
        elif isinstance(error, EndedError):
            ending = self._process.ending()
            message = f"the program ended during {doing}" + (f": {ending}" if ending else "")
            expected, seen = "a program that goes on running", ending or "it ended"
        else:
            did = (
                f"sent a message that is no reply: {error}"
                if isinstance(error, MalformedError)
                else str(error)
            )
            message = f"the program {did}, during {doing}"
            expected, seen = "one reply to each request, made by the lab's own part of the program", did
        self.end(message)
        return with_output(message, self._process.words(), expected=expected, seen=seen)

    def end(self, why: str) -> None:
        """End the program; `why` is what later requests are told."""
        if not self._why_ended:
            self._why_ended = why
            self._process.kill()
            self._wire.close()

    def close(self) -> None:
        """Let the program end by itself: nothing is asked of it any more."""
        self._why_ended = self._why_ended or "the lab has closed it"
        self._wire.close()

    @property
    def has_ended(self) -> bool:
        """Whether nothing can be asked any more."""
        return bool(self._why_ended)

    def _refuse_ended(self, doing: str) -> None:
        if self._why_ended:
            raise Failure(
                f"the program had already ended before {doing}: {self._why_ended}",
                expected="a program that runs",
                seen="it has ended",
            )
        if self.depth >= NESTED:
            raise Failure(
                f"{doing} and the lab call each other more than {NESTED} levels deep",
                expected=f"at most {NESTED} levels",
                seen="more",
            )

    def _sealed(self, message: Mapping[str, Json], doing: str) -> tuple[str, bytes]:
        """Return a message with a nonce of its own, after that nonce."""
        nonce = os.urandom(8).hex()
        data = written({"nonce": nonce, **message})
        if len(data) > MESSAGE_BYTES:
            raise AuthoringError(
                f"what the lab sends for {doing} takes {len(data)} bytes, more than {MESSAGE_BYTES}",
                hint="send less at a time, or an iterator",
            )
        return nonce, data

    def _turn(self, nonce: str, data: bytes) -> tuple[str, Data]:
        reply = parsed(self._wire.ask(data, self._until))
        if reply.pop("nonce", None) != nonce:
            raise MalformedError("it does not answer what was asked")
        if len(reply) != 1 or not reply.keys() <= TAGS:
            raise MalformedError("it has not exactly one tag")
        return reply.popitem()
