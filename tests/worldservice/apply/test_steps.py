"""The steps of an apply as transactions: each moves the run on once; what it leaves in activation and hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode
from qmtl.sql.database import Database
from tests.worldservice.samples import NOW
from tests.worldservice.stored import ACT, SETTINGS, add_strategy, confirm_fence, load, make_trading, open_store
from worldservice.activation.domain.activation import FenceState, Phase, can_trade
from worldservice.activation.domain.gate_session import GateSession
from worldservice.activation.domain.hold import Hold, HoldState, refuse_held
from worldservice.activation.store import gates
from worldservice.activation.store.holds import find_hold
from worldservice.apply import steps
from worldservice.apply import store as apply_store
from worldservice.apply.domain.run import ApplyRun, ApplyState, ApplyTimeouts
from worldservice.apply.domain.targets import Target
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import bindings, worlds

TIMEOUTS = ApplyTimeouts(timedelta(seconds=30), timedelta(seconds=5))
AT = steps.StepContext("alpha", "r1", NOW, SETTINGS, TIMEOUTS)
LATER = replace(AT, now=NOW + timedelta(seconds=31))
TARGET = Target("t", Side.LONG, 0.5, Stage.PAPER)
Step = Callable[[Connection], ApplyRun]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """Strategy s trades; a run asks for t in its place."""
    async with open_store(tmp_path) as db:
        await db.write(make_trading)
        await db.write(lambda conn: add_strategy(conn, "t"))
        run = ApplyRun("alpha", "r1", ApplyState.REQUESTED, (TARGET,), False, "ann", "", NOW)
        await db.write(lambda conn: steps.begin(conn, run, "asked for by ann", NOW))
        yield db


async def state(db: Database) -> ApplyState:
    return (await db.read(lambda conn: apply_store.get_run(conn, "alpha", "r1"))).state


async def hold(db: Database) -> Hold | None:
    return await db.read(lambda conn: find_hold(conn, "alpha"))


async def freeze(db: Database) -> int:
    """Frozen, and confirmed by brokerage; its epoch."""
    run = await db.write(lambda conn: steps.freeze(conn, AT))
    await db.write(confirm_fence)
    await db.write(lambda conn: steps.confirm(conn, AT, run.epoch, ()))
    return run.epoch


async def test_a_run_has_the_activation_for_itself_from_its_beginning_to_its_end(db: Database) -> None:
    assert await hold(db) == Hold("r1", HoldState.RUNNING)
    with pytest.raises(NotReady) as caught:
        refuse_held("alpha", await hold(db))
    assert (caught.value.reason, caught.value.metadata["run_id"]) == ("E_APPLY_RUNNING", "r1")
    await freeze(db)
    await db.write(lambda conn: steps.check_gates(conn, AT))
    await db.write(lambda conn: steps.switch(conn, AT))
    await db.write(confirm_fence)
    await db.write(lambda conn: steps.open_targets(conn, AT))
    assert await state(db) is ApplyState.COMPLETED
    assert await hold(db) == Hold("r1", HoldState.RELEASED)
    refuse_held("alpha", await hold(db))


@pytest.mark.parametrize("stage", [Stage.PAPER, Stage.LIVE])
async def test_who_enters_live_is_asked_about_again_behind_the_freeze(db: Database, stage: Stage) -> None:
    asked: list[tuple[tuple[EnteringLive, ...], bool]] = []

    def no_slot(
        conn: Connection, world: World, entering: Sequence[EnteringLive], now: datetime, *, switching: bool
    ) -> Sequence[Block]:
        asked.append((tuple(entering), switching))
        return [Block("MAX_LIVE_SLOTS", one.strategy_id, "finds 8 others live") for one in entering]

    await freeze(db)
    await db.write(lambda conn: steps.check_gates(conn, AT))
    run = await db.read(lambda conn: apply_store.get_run(conn, "alpha", "r1"))
    wanted = replace(run, targets=(replace(TARGET, stage=stage),))
    await db.write(lambda conn: apply_store.save_run(conn, wanted))
    at = replace(AT, blocks=(no_slot,))
    if stage is Stage.PAPER:
        assert (await db.write(lambda conn: steps.switch(conn, at))).state is ApplyState.UNFREEZING
        assert asked == []
        return
    with pytest.raises(NotReady, match="E_PROMOTION_BLOCKED"):
        await db.write(lambda conn: steps.switch(conn, at))
    assert asked == [((EnteringLive("t", Decimal("0.5")),), True)]
    assert await state(db) is ApplyState.SWITCHING


async def test_the_freeze_shuts_everything_under_an_epoch_of_its_own(db: Database) -> None:
    before = await db.read(load)
    run = await db.write(lambda conn: steps.freeze(conn, AT))
    after = await db.read(load)
    assert (run.state, run.before) == (ApplyState.FREEZING, before.entries)
    assert (after.fence.epoch, after.fence.state, after.phase) == (run.epoch, FenceState.FROZEN, Phase.FREEZE)
    assert run.epoch == before.fence.epoch + 1
    assert not any(can_trade(entry) for entry in after.entries)


async def test_a_step_made_twice_or_out_of_turn_changes_nothing(db: Database) -> None:
    early: list[Step] = [
        lambda conn: steps.switch(conn, AT),
        lambda conn: steps.open_targets(conn, AT),
        lambda conn: steps.overdue(conn, LATER),
    ]
    for step in early:
        assert (await db.write(step)).state is ApplyState.REQUESTED
    await db.write(lambda conn: steps.freeze(conn, AT))
    frozen = await db.read(load)
    await db.write(lambda conn: steps.freeze(conn, AT))
    assert await db.read(load) == frozen


async def test_an_answer_to_an_older_epoch_confirms_nothing(db: Database) -> None:
    run = await db.write(lambda conn: steps.freeze(conn, AT))
    told = await db.write(lambda conn: steps.confirm(conn, AT, run.epoch - 1, ()))
    assert not told.fence_confirmed
    assert (await db.write(lambda conn: steps.confirm(conn, AT, run.epoch, ()))).fence_confirmed


async def test_a_gateway_that_has_not_acknowledged_is_awaited_until_it_has(db: Database) -> None:
    await db.write(lambda conn: gates.save_gate(conn, GateSession("g", "b", NOW, {}, NOW)))
    await freeze(db)
    assert (await db.write(lambda conn: steps.check_gates(conn, AT))).state is ApplyState.FREEZING
    await db.write(lambda conn: gates.save_ack(conn, "alpha", "r1", "g", "b", 1, NOW))
    assert (await db.write(lambda conn: steps.check_gates(conn, AT))).state is ApplyState.SWITCHING


async def test_the_switch_sets_targets_behind_the_freeze(db: Database) -> None:
    await freeze(db)
    await db.write(lambda conn: steps.check_gates(conn, AT))
    assert (await db.write(lambda conn: steps.switch(conn, AT))).state is ApplyState.UNFREEZING
    after = await db.read(load)
    bound = await db.read(lambda conn: bindings.active_bindings(conn, "alpha"))
    assert bound["t"].stage is Stage.PAPER
    modes = {entry.strategy_id: entry.effective_mode for entry in after.entries}
    assert modes["t"] is EffectiveMode.PAPER
    assert not any(can_trade(entry) for entry in after.entries)
    assert (after.fence.state, after.fence.pending) == (FenceState.OPEN, True)


async def test_nothing_opens_before_brokerage_has_the_fence_it_needs(db: Database) -> None:
    await freeze(db)
    await db.write(lambda conn: steps.check_gates(conn, AT))
    await db.write(lambda conn: steps.switch(conn, AT))
    waiting = await db.write(lambda conn: steps.open_targets(conn, AT))
    assert not waiting.opened
    assert not any(can_trade(entry) for entry in (await db.read(load)).entries)
    await db.write(confirm_fence)
    assert (await db.write(lambda conn: steps.open_targets(conn, AT))).opened
    trading = [entry.strategy_id for entry in (await db.read(load)).entries if can_trade(entry)]
    assert trading == ["t"]


async def test_a_switch_that_is_refused_is_undone_and_the_world_stays_frozen(db: Database) -> None:
    await freeze(db)
    await db.write(lambda conn: steps.check_gates(conn, AT))
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    await db.write(lambda conn: worlds.update_world(conn, replace(alpha, circuit_breaker=True)))
    frozen = await db.read(load)
    with pytest.raises(NotReady) as caught:
        await db.write(lambda conn: steps.switch(conn, AT))
    assert caught.value.reason == "E_MODE_CEILING"
    assert await db.read(load) == frozen
    await db.write(lambda conn: steps.roll_back(conn, AT, "E_MODE_CEILING: tripped"))
    assert await state(db) is ApplyState.ROLLED_BACK
    assert await hold(db) == Hold("r1", HoldState.FROZEN)
    with pytest.raises(NotReady) as refused:
        refuse_held("alpha", await hold(db))
    assert refused.value.reason == "E_WORLD_FROZEN"


async def test_a_freeze_that_runs_out_of_time_ends_frozen_by_name(db: Database) -> None:
    await db.write(lambda conn: steps.freeze(conn, AT))
    run = await db.write(lambda conn: steps.check_gates(conn, LATER))
    assert run.state is ApplyState.FROZEN
    assert "brokerage has not confirmed the fence" in run.reason
    assert await hold(db) == Hold("r1", HoldState.FROZEN)


async def test_a_frozen_world_is_resumed_as_it_stood_once_the_fence_is_confirmed(db: Database) -> None:
    await freeze(db)
    await db.write(lambda conn: gates.save_gate(conn, GateSession("g", "b", LATER.now, {}, LATER.now)))
    shut = await db.write(lambda conn: steps.check_gates(conn, LATER))
    assert (shut.state, shut.fence_confirmed) == (ApplyState.FROZEN, True)
    alpha = await db.read(lambda conn: worlds.get_world(conn, "alpha"))
    resumed = await db.write(lambda conn: steps.resume(conn, SETTINGS, ACT, alpha, shut, TIMEOUTS))
    assert await hold(db) == Hold("resume:r1", HoldState.RUNNING)
    await db.write(confirm_fence)
    await db.write(lambda conn: steps.open_targets(conn, replace(AT, run_id=resumed.run_id)))
    trading = [entry.strategy_id for entry in (await db.read(load)).entries if can_trade(entry)]
    assert trading == ["s"]


async def test_an_opening_that_brokerage_does_not_confirm_in_time_is_alarmed_and_goes_on(db: Database) -> None:
    await freeze(db)
    await db.write(lambda conn: steps.check_gates(conn, AT))
    await db.write(lambda conn: steps.switch(conn, AT))
    run = await db.write(lambda conn: steps.overdue(conn, LATER))
    assert run.state is ApplyState.UNFREEZING
    timeline = await db.read(lambda conn: apply_store.steps_of(conn, "alpha", "r1"))
    assert "brokerage has not confirmed the opening" in timeline[-1].detail
