"""Gate sessions: a gateway's promise to obey the activation it holds. It lapses by itself.

The gateway counts itself out a margin early, worldservice counts it out a margin late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worldservice.timing import GATE_MARGIN, GATE_TTL


@dataclass(frozen=True, slots=True)
class GateSession:
    """A gateway's session, with the revision it has applied in each world.

    `displaced`: the boot whose living session this one took. A restart looks the same, but who was restarted never
    comes back; `refused`: a boot that took this id from a process that still ran.
    """

    gateway_id: str
    boot_id: str
    renewed_at: datetime
    applied: Mapping[str, int]
    opened_at: datetime
    displaced: str = ""
    refused: str = ""


def opened(held: GateSession | None, gateway_id: str, boot_id: str, now: datetime) -> GateSession | None:
    """The session a process gets; None: its id belongs to another process that runs."""
    if held is None or gate_lapsed(held, now):
        return GateSession(gateway_id, boot_id, now, {}, now)
    if held.refused == boot_id:
        return None
    if held.boot_id == boot_id:
        return replace(held, renewed_at=now, applied={})
    return GateSession(gateway_id, boot_id, now, {}, now, displaced=held.boot_id)


def renewed(held: GateSession, boot_id: str, applied: Mapping[str, int], now: datetime) -> GateSession | None:
    """The session renewed by one of its processes; None: this one has none.

    A displaced process that renews as long as its own session would have lasted has been running all the time: the
    id is its own, and the boot that took it is refused. Later it may be a copy that was woken: it has to open.
    """
    if gate_lapsed(held, now):
        return None
    if held.boot_id == boot_id:
        return replace(held, renewed_at=now, applied=applied)
    if held.displaced == boot_id and now <= held.opened_at + GATE_TTL + GATE_MARGIN:
        return GateSession(held.gateway_id, boot_id, now, applied, now, refused=held.boot_id)
    return None


def gate_lapsed(session: GateSession, now: datetime) -> bool:
    """Counted gone a margin later than the gateway itself counts it, so that both errors are on the shut side."""
    return now > session.renewed_at + GATE_TTL + GATE_MARGIN


def lags(
    applied: Mapping[str, int], current: Mapping[str, tuple[int, datetime]], now: datetime, skew_max: timedelta
) -> list[str]:
    """Worlds whose applied revision is behind one that is older than the allowed skew.

    In a world that a gateway has applied nothing of it is shut, and it may be about to hear of that one.
    """
    return sorted(
        world_id
        for world_id, (revision, changed_at) in current.items()
        if world_id in applied and applied[world_id] < revision and now - changed_at > skew_max
    )
