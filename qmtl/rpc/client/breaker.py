"""A circuit breaker per dependency: after several transport failures in a row nobody waits for the peer for a while.

CLOSED lets calls through, OPEN refuses them at once, HALF_OPEN lets one through to see. An answer, also an error the
peer itself gave, closes it. It belongs to a channel, so that everything that uses the channel shares it.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import Final

import grpc

from qmtl.core.errors import QmtlError, Unavailable
from qmtl.rpc.status import code_of

FAILURES_MAX: Final = 5
OPEN_S: Final = 1.0
PATIENCE_S: Final = 1.0
"""A deadline shorter than this says more of the caller than of the peer."""
TRANSPORT_REASONS: Final = frozenset({"E_UNAVAILABLE", "E_DEADLINE_EXCEEDED", "E_CHANNEL_CLOSED"})


class BreakerState(Enum):
    """What a breaker does with the next call."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Breaker:
    """One dependency's. `name` is for the error's text."""

    def __init__(self, name: str, failures_max: int = FAILURES_MAX, open_s: float = OPEN_S) -> None:
        self.name = name
        self._failures_max = failures_max
        self._open_s = open_s
        self._failures = 0
        self._open_until: float | None = None
        self._trying_since: float | None = None

    @property
    def state(self) -> BreakerState:
        """As it stands now."""
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if time.monotonic() < self._open_until else BreakerState.HALF_OPEN

    def check(self) -> None:
        """Ask before a call. Raises Unavailable (E_BREAKER_OPEN) with the time to come back."""
        now = time.monotonic()
        if self._open_until is None:
            return
        trying = self._trying_since is not None and now - self._trying_since < self._open_s
        if now < self._open_until or trying:
            left = max(0.05, self._open_until - now)
            raise Unavailable("E_BREAKER_OPEN", f"{self.name} does not answer", retry_after_s=left)
        self._trying_since = now

    def succeeded(self) -> None:
        """The peer answered."""
        self._failures = 0
        self._open_until = self._trying_since = None

    def failed(self, error: QmtlError, allowed_s: float | None) -> None:
        """A call that had `allowed_s` seconds ended so: the transport's error counts, the peer's own is an answer."""
        code = code_of(error)
        if error.reason not in TRANSPORT_REASONS:
            self.succeeded()
            return
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and allowed_s is not None and allowed_s < PATIENCE_S:
            self._trying_since = None
            return
        self._failures += 1
        if self._failures >= self._failures_max or self._open_until is not None:
            self._open_until = time.monotonic() + self._open_s
            self._trying_since = None
