"""Freezes and drains that were asked for and could not be written: gateways are told to shut their worlds."""

from datetime import timedelta
from typing import Final

from qmtl.core.clock import Clock
from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.timing import GATE_MARGIN, GATE_TTL

KEPT: Final = timedelta(seconds=15)  # from when it was last asked for: whoever means it asks on


class UnwrittenHolds:
    """Those that this process knows of, its own and other replicas': of each world one freeze and one drain. Gate
    sessions that are opened or renewed meanwhile say that the world is to shut.

    A full disk may take the row of a renewal and not those of a freeze: then gates would go on letting orders pass.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[tuple[str, HoldState], tuple[Hold, float]] = {}

    def asked(self, world_id: str, hold: Hold) -> None:
        """One could not be written now."""
        self._asked[world_id, hold.state] = hold, self._clock.monotonic()

    def current(self) -> tuple[tuple[str, Hold], ...]:
        """Worlds, each with what was last asked for; one that has been written since is among them."""
        since = self._clock.monotonic() - KEPT.total_seconds()
        self._asked = {key: asked for key, asked in self._asked.items() if asked[1] >= since}
        return tuple((world_id, hold) for (world_id, _), (hold, _) in self._asked.items())


def met(asked: Hold, standing: Hold | None) -> bool:
    """Whether what holds a world lets through no more than what was asked for. A drain does no freeze's work."""
    return standing is not None and standing.state in (HoldState.FROZEN, asked.state)


def protection() -> str:
    """What an operator is told whose freeze or drain was not written."""
    shut_s = (GATE_TTL + GATE_MARGIN).total_seconds()
    return (
        f"not in force; while it is asked for, gateways are told to shut the world as they renew: within {shut_s:g} s"
        f" to all that adds risk, at other replicas while the broker is up; ask on under the same request_id"
    )
