"""What goes wrong, by script: each request and each event takes the next word of its kind, and is well without one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from enum import Enum


class Trouble(Enum):
    """What happens to a request. AFTER: the exchange has done what was asked, and the client does not learn it."""

    NONE = "NONE"
    SILENT_BEFORE = "SILENT_BEFORE"
    SILENT_AFTER = "SILENT_AFTER"
    CUT_BEFORE = "CUT_BEFORE"
    CUT_AFTER = "CUT_AFTER"
    TOO_MANY = "TOO_MANY"  # 429
    BANNED = "BANNED"  # 418
    REFUSED = "REFUSED"  # 400: the exchange has looked at it, and does not do it
    BROKEN_BEFORE = "BROKEN_BEFORE"  # 503
    BROKEN_AFTER = "BROKEN_AFTER"
    HELD = "HELD"  # cut, and on its way: it comes when `Faults.deliver` lets it
    UNSURE_AFTER = "UNSURE_AFTER"  # an answer that says the outcome is unknown
    FAILED_AFTER = "FAILED_AFTER"  # 500 with a body that reads as a refusal

    @property
    def done(self) -> bool:
        """Whether the exchange does what was asked."""
        return self is Trouble.NONE or self.name.endswith("_AFTER")

    @property
    def silent(self) -> bool:
        return self in (Trouble.SILENT_BEFORE, Trouble.SILENT_AFTER)

    @property
    def cut(self) -> bool:
        return self in (Trouble.CUT_BEFORE, Trouble.CUT_AFTER, Trouble.HELD)


class Delivery(Enum):
    """What happens to an event of an account's stream."""

    ONCE = "ONCE"
    NEVER = "NEVER"
    TWICE = "TWICE"
    LATE = "LATE"  # after the one that follows


class Faults:
    """The script. `requests` is by method and path of the dialect ("POST order"), events by account."""

    def __init__(self) -> None:
        self.witness: Callable[[str, bool], None] | None = None  # told of each request as it comes, and once it is done
        self.held: list[Callable[[], Awaitable[object]]] = []  # requests that are still on their way
        self._requests: dict[str, deque[Trouble]] = defaultdict(deque)
        self._events: dict[str, deque[Delivery]] = defaultdict(deque)

    def plan(self, request: str, *troubles: Trouble) -> None:
        """The next requests of a kind meet these, in order."""
        self._requests[request].extend(troubles)

    def plan_events(self, account: str, *deliveries: Delivery) -> None:
        """The next events of an account's stream arrive like this, in order."""
        self._events[account].extend(deliveries)

    async def deliver(self) -> None:
        """Let everything come that is on its way."""
        held, self.held = self.held, []
        for come in held:
            await come()

    def clear(self) -> None:
        """All is well from now on."""
        self._requests.clear()
        self._events.clear()

    def request(self, kind: str) -> Trouble:
        """What the next request of a kind meets."""
        planned = self._requests[kind]
        return planned.popleft() if planned else Trouble.NONE

    def event(self, account: str) -> Delivery:
        """How the next event of an account arrives."""
        planned = self._events[account]
        return planned.popleft() if planned else Delivery.ONCE
