"""Who may change an activation that an apply holds: nobody, until it is released."""

from __future__ import annotations

import pytest

from qmtl.core.errors import NotReady
from worldservice.activation.domain.hold import Hold, HoldState, refuse_held


@pytest.mark.parametrize("hold", [None, Hold("run-1", HoldState.RELEASED)])
def test_an_activation_that_no_run_holds_may_be_changed(hold: Hold | None) -> None:
    refuse_held("w", hold)


@pytest.mark.parametrize(
    ("state", "reason"), [(HoldState.RUNNING, "E_APPLY_RUNNING"), (HoldState.FROZEN, "E_WORLD_FROZEN")]
)
def test_a_held_activation_is_refused_with_the_run_that_holds_it(state: HoldState, reason: str) -> None:
    with pytest.raises(NotReady) as refused:
        refuse_held("w", Hold("run-1", state))
    assert (refused.value.reason, refused.value.metadata) == (reason, {"run_id": "run-1"})
