"""An apply asks every subject what bars a strategy from live, before it is recorded and behind the freeze."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode
from tests.worldservice.samples import NOW, binding
from worldservice.apply.domain.phases import aimed
from worldservice.apply.domain.targets import Target, entering_live
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.block import Block, EnteringLive, refuse_blocked

LIVE = Target("s", Side.LONG, 0.1, Stage.LIVE)


def test_who_enters_is_who_takes_no_risk_live_yet() -> None:
    short = Target("s", Side.SHORT, 0.25, Stage.LIVE)
    assert entering_live([LIVE, short], ()) == (EnteringLive("s", Decimal("0.25")),)
    assert entering_live([replace(LIVE, stage=Stage.PAPER)], ()) == ()
    standing = aimed((), [LIVE], {"s": binding("s", Stage.LIVE)}, lambda *_: EffectiveMode.LIVE, "r", NOW)
    assert entering_live([LIVE, short], standing) == ()
    for changed in ({"drain": True}, {"freeze": True}, {"active": False}, {"effective_mode": EffectiveMode.PAPER}):
        left = tuple(replace(entry, **changed) for entry in standing)
        assert entering_live([LIVE], left) == (EnteringLive("s", Decimal("0.1")),)


def test_all_blocks_are_told_together_with_their_sentences() -> None:
    refuse_blocked(())
    blocks = [Block("COOLDOWN_ACTIVE", "s", "waits 3 more days"), Block("MAX_LIVE_SLOTS", "t", "is the ninth of 8")]
    with pytest.raises(NotReady, match="E_PROMOTION_BLOCKED") as caught:
        refuse_blocked(blocks)
    assert caught.value.message == (
        "2 blocks: COOLDOWN_ACTIVE: s waits 3 more days; MAX_LIVE_SLOTS: t is the ninth of 8"
    )
    assert caught.value.metadata == {"blocks": "COOLDOWN_ACTIVE,MAX_LIVE_SLOTS"}
    assert [each.value for each in caught.value.violations] == ["COOLDOWN_ACTIVE", "MAX_LIVE_SLOTS"]
