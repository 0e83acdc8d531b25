"""Holds: an apply has a world's activation for itself while it runs, and whatever ended frozen or drained keeps it.

Only runs set and release a hold; an operator's change of a held activation is refused, so that what is bound later
is held too.
"""

from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import NotReady


class HoldState(Enum):
    """RELEASED: the run is over and was the last to hold the activation."""

    RUNNING = "RUNNING"
    FROZEN = "FROZEN"
    DRAINED = "DRAINED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class Hold:
    """The run that holds an activation, or held it last."""

    run_id: str
    state: HoldState


def refuse_held(world_id: str, hold: Hold | None) -> None:
    """Raises NotReady (E_APPLY_RUNNING, E_WORLD_FROZEN, E_WORLD_DRAINED)."""
    if hold is None or hold.state is HoldState.RELEASED:
        return
    if hold.state is HoldState.RUNNING:
        raise NotReady(
            "E_APPLY_RUNNING",
            f"apply {hold.run_id} of world {world_id} is under way",
            hint="watch it to its end, then ask again",
            metadata={"run_id": hold.run_id},
        )
    if hold.state is HoldState.DRAINED:
        raise NotReady(
            "E_WORLD_DRAINED",
            f"world {world_id} is drained by {hold.run_id}",
            hint=f"qmtl world resume {world_id} {hold.run_id}; GetApplyRun says who drained it and why",
            metadata={"run_id": hold.run_id},
        )
    raise NotReady(
        "E_WORLD_FROZEN",
        f"world {world_id} is frozen by {hold.run_id}",
        hint=f"qmtl world resume {world_id} {hold.run_id}; GetApplyRun says why it ended so",
        metadata={"run_id": hold.run_id},
    )
