"""Freezes and drains that were asked for and could not be written: what is left to protect is that gates lapse."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from qmtl.core.clock import Clock
from worldservice.timing import GATE_MARGIN, GATE_TTL

KEPT: Final = timedelta(seconds=15)  # from when it was last asked for: whoever means it asks on


class UnwrittenHolds:
    """Those of this process, by world. While there is one, no gate session is opened or renewed.

    A full disk may take the row of a renewal and not those of a freeze: then gates would go on letting orders pass.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[str, tuple[str, float]] = {}

    def asked(self, world_id: str, run_id: str) -> None:
        """One could not be written now."""
        self._asked[world_id] = run_id, self._clock.monotonic()

    def written(self, world_id: str) -> None:
        """The world's was written, this or a later one."""
        self._asked.pop(world_id, None)

    def current(self) -> Mapping[str, str]:
        """Worlds with the run that was last asked for."""
        since = self._clock.monotonic() - KEPT.total_seconds()
        self._asked = {world: asked for world, asked in self._asked.items() if asked[1] >= since}
        return {world: run_id for world, (run_id, _) in self._asked.items()}


def protection() -> str:
    """What an operator is told whose freeze or drain was not written."""
    shut_s = (GATE_TTL + GATE_MARGIN).total_seconds()
    return (
        f"not in force; worldservice renews no gate session while it is asked for, so gates shut within {shut_s:g} s to"
        f" all that adds risk: ask on under the same request_id"
    )
