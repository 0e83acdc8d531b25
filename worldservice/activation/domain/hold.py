"""Holds: an apply has a world's activation for itself while it runs, and after it ended frozen.

Only the apply sets and releases a hold; an operator's change of a held activation is refused.
"""

from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import NotReady


class HoldState(Enum):
    """RELEASED: the run is over and was the last to hold the activation."""

    RUNNING = "RUNNING"
    FROZEN = "FROZEN"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class Hold:
    """The run that holds an activation, or held it last."""

    run_id: str
    state: HoldState


def refuse_held(world_id: str, hold: Hold | None) -> None:
    """Raises NotReady (E_APPLY_RUNNING, E_WORLD_FROZEN)."""
    if hold is None or hold.state is HoldState.RELEASED:
        return
    if hold.state is HoldState.RUNNING:
        raise NotReady(
            "E_APPLY_RUNNING",
            f"apply {hold.run_id} of world {world_id} is under way",
            hint="watch it to its end, then ask again",
            metadata={"run_id": hold.run_id},
        )
    raise NotReady(
        "E_WORLD_FROZEN",
        f"apply {hold.run_id} of world {world_id} ended frozen",
        hint="Resume it, or apply anew; GetApplyRun says why it ended so",
        metadata={"run_id": hold.run_id},
    )
