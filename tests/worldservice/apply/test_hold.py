"""A whole world frozen or drained by hand: at any time, for what is bound later too, and left by Resume only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest, NotFound, NotReady, QmtlError, Unavailable
from qmtl.core.limits import UNLIMITED
from qmtl.core.modes import EffectiveMode
from qmtl.core.roles import Role
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.disks import SmallDisk
from tests.support.world_stubs import WorldStubs
from tests.worldservice.apply.test_service import FREEZING, FROZEN, gate, plan, reach, shown
from tests.worldservice.harness import WorldHarness, eventually, make_trading, raising, running_harness
from worldservice.activation.domain.activation import (
    Activation,
    Entry,
    Fence,
    FenceState,
    Phase,
    can_trade,
    fence_for,
    narrowed,
    new_entry,
)
from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.activation.domain.unwritten import KEPT, UnwrittenHolds, met
from worldservice.apply.domain.phases import drained, fence_serves, frozen
from worldservice.worlds.domain.binding import Binding, BindingState, Side, Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DRAINED = applypb.APPLY_STATE_DRAINED
MODES = st.sampled_from(list(EffectiveMode))


@st.composite
def activations(draw: st.DrawFn) -> Activation:
    entries = tuple(
        Entry(name, side, draw(st.booleans()), 1.0, draw(st.booleans()), draw(st.booleans()), None, None, NOW, "",
              draw(MODES))
        for name in ("a", "b")
        for side in (Side.LONG, Side.SHORT)
        if draw(st.booleans())
    )  # fmt: skip
    state, mode, standings = fence_for(entries)
    return Activation(
        "w", 7, entries, Fence(3, state, mode, 3, standings=standings), "", 0, draw(st.sampled_from(Phase)), False, NOW
    )


def bound(stage: Stage) -> Binding:
    return Binding("w", "x", stage, BindingState.ACTIVE, frozenset(Side), "ann", NOW)


@given(activations(), st.sampled_from(list(Stage)), MODES, MODES)
def test_nothing_trades_in_a_freeze_whatever_is_decided_in_it(
    before: Activation, stage: Stage, allowed: EffectiveMode, way_out: EffectiveMode
) -> None:
    after = frozen(before, "freeze:1", NOW)
    bindings = {name: bound(stage) for name in ("a", "b", "later")}
    decided = narrowed(after, bindings, lambda *_: allowed, NOW, exits=lambda *_: way_out)
    assert after.fence.epoch == before.fence.epoch + 1
    for one in (after, decided):
        assert not any(can_trade(entry) for entry in one.entries)
        assert one.fence.state is FenceState.FROZEN


@given(activations(), st.sampled_from(list(Stage)), MODES, MODES)
def test_a_drain_opens_nothing_and_lets_nothing_add_risk(
    before: Activation, stage: Stage, allowed: EffectiveMode, way_out: EffectiveMode
) -> None:
    after = drained(before, "drain:1", NOW)
    bindings = {name: bound(stage) for name in ("a", "b", "later")}
    decided = narrowed(after, bindings, lambda *_: allowed, NOW, exits=lambda *_: way_out)
    assert after.fence.epoch == before.fence.epoch + 1
    traded = {(entry.strategy_id, entry.side) for entry in before.entries if can_trade(entry)}
    for one in (after, decided):
        assert one.fence.state is not FenceState.OPEN
        assert all(entry.drain for entry in one.entries)
        assert {(entry.strategy_id, entry.side) for entry in one.entries if can_trade(entry)} <= traded


def test_a_fence_of_other_standings_serves_nobody() -> None:
    """The opening waits for the epoch in which brokerage knows all that may add."""
    entries = tuple(
        replace(new_entry(name, Side.LONG, NOW), active=True, effective_mode=EffectiveMode.PAPER) for name in "st"
    )
    state, mode, standings = fence_for(entries)
    fence = Fence(3, state, mode, 3, standings=standings)
    assert fence_serves(fence, entries, UNLIMITED)
    for one in entries:
        assert fence_for((one,))[:2] == (state, mode)
        assert not fence_serves(fence, (one,), UNLIMITED)


async def freeze(stub: WorldStubs, request_id: str = "1", message: str = "") -> applyservicepb.FreezeWorldResponse:
    request = applyservicepb.FreezeWorldRequest(world_id="w1", request_id=request_id, message=message)
    return await stub.applies.FreezeWorld(request)


async def drain(stub: WorldStubs, request_id: str = "1") -> applyservicepb.DrainWorldResponse:
    return await stub.applies.DrainWorld(applyservicepb.DrainWorldRequest(world_id="w1", request_id=request_id))


async def entries(stub: WorldStubs) -> dict[str, activationpb.ActivationEntry]:
    found = await stub.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    return {entry.strategy_id: entry for entry in found.activation.entries}


async def resumed(harness: WorldHarness, stub: WorldStubs, run_id: str) -> None:
    await stub.applies.Resume(applyservicepb.ResumeRequest(world_id="w1", run_id=run_id))
    await reach(harness, applypb.APPLY_STATE_COMPLETED, f"resume:{run_id}")


async def test_a_freeze_is_committed_at_brokerage_before_it_is_answered_and_left_by_resume(
    harness: WorldHarness,
) -> None:
    ann = await make_trading(harness, "w1", "s")
    epoch = harness.brokerage.state("w1")[0]
    before = await entries(ann)
    reply = await freeze(ann, message="drill")
    assert harness.brokerage.state("w1") == (epoch + 1, "FROZEN")
    assert (reply.fence_pending, reply.run.fence_epoch, reply.run.state) == (False, epoch + 1, FROZEN)
    assert (reply.run.run_id, reply.run.message) == ("freeze:1", "ann: drill")
    assert all(entry.freeze and not entry.active for entry in (await entries(ann)).values())
    again = await freeze(ann, message="drill")
    assert (again.run.fence_epoch, harness.brokerage.state("w1")) == (epoch + 1, (epoch + 1, "FROZEN"))
    audit = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
    assert [entry.actor for entry in audit if entry.event == "FreezeWorld"] == ["ann", "ann"]
    await resumed(harness, ann, "freeze:1")
    after = await entries(ann)
    assert {name: (e.active, e.freeze, e.weight) for name, e in after.items()} == {
        name: (e.active, e.freeze, e.weight) for name, e in before.items()
    }
    assert harness.brokerage.state("w1")[1] == "OPEN"


async def test_what_a_freeze_holds_is_told_before_and_by_it(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    harness.brokerage.held = [orderpb.OrderKey(account="a", world_id="w1", strategy_id="s", client_order_id="stop")]
    bare = fencepb.UnprotectedPosition(account="a", strategy_id="s", symbol="BTC", client_order_id="close")
    harness.brokerage.unprotected = [bare]
    plain = await ann.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1"))
    asked = await ann.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1", with_held=True))
    assert (list(plain.held), list(asked.held)) == ([], ["a/s/stop"])
    assert (list(plain.unprotected), list(asked.unprotected)) == ([], ["a/s/BTC, not closed by close"])
    harness.brokerage.unlisted = 3
    told = await freeze(ann)
    assert (list(told.held), list(told.on_the_wire)) == (["a/s/stop", "3 more"], ["3 more"])
    assert list(told.unprotected) == ["a/s/BTC, not closed by close"]


@pytest.mark.parametrize(("hold", "reason"), [(freeze, "E_WORLD_FROZEN"), (drain, "E_WORLD_DRAINED")])
async def test_it_holds_for_what_is_bound_and_asked_for_later(
    harness: WorldHarness, hold: Callable[[WorldStubs], object], reason: str
) -> None:
    ann = await make_trading(harness, "w1", "s")
    await hold(ann)  # type: ignore[misc] # both are awaited
    held = harness.brokerage.state("w1")
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="later"))
    assert "later" not in await entries(ann)
    for name in ("s", "later"):
        with pytest.raises(NotReady, match=reason):
            await ann.activation.SetActivation(raising("w1", name))
        with pytest.raises(NotReady, match=reason):
            await ann.applies.Apply(plan("r1", name))
    assert harness.brokerage.state("w1") == held


async def test_an_apply_under_way_ends_frozen_and_never_opens(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    member = await gate(harness, "g1")
    await ann.applies.Apply(plan())
    await reach(harness, FREEZING, step_s=0.05)
    await freeze(ann)
    run = await shown(harness)
    assert (run.state, run.message) == (FROZEN, "overruled by freeze:1 of ann")
    await member.renew()
    with pytest.raises(NotFound, match="E_RUN_UNKNOWN"):
        await member.ack("r1", 1)
    for _ in range(5):
        harness.clock.advance(30)
        assert harness.brokerage.state("w1")[1] == "FROZEN"
    with pytest.raises(NotReady, match="E_RUN_NOT_FROZEN"):
        await ann.applies.Resume(applyservicepb.ResumeRequest(world_id="w1", run_id="r1"))
    await resumed(harness, ann, "freeze:1")
    assert {name: entry.active for name, entry in (await entries(ann)).items()}["s"]


async def test_a_drain_lets_reduce_and_opens_nothing_that_is_frozen(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    reply = await drain(ann)
    assert (reply.run.state, reply.fence_pending, harness.brokerage.state("w1")[1]) == (DRAINED, False, "DRAIN")
    await freeze(ann, "2")
    assert harness.brokerage.state("w1")[1] == "FROZEN"
    await drain(ann, "3")
    assert harness.brokerage.state("w1")[1] == "FROZEN"


async def test_a_freeze_while_brokerage_is_away_is_pending_and_told_until_it_has_it(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    epoch = harness.brokerage.state("w1")[0]
    harness.brokerage.answering.clear()
    reply = await freeze(ann)
    assert (reply.fence_pending, reply.run.fence_confirmed) == (True, False)
    with pytest.raises(NotReady, match="E_FENCE_UNCONFIRMED"):
        await ann.applies.Resume(applyservicepb.ResumeRequest(world_id="w1", run_id="freeze:1"))
    harness.brokerage.answering.set()

    async def told() -> bool:
        harness.clock.advance(1.0)
        return (await shown(harness, "freeze:1")).fence_confirmed

    await eventually(told)
    assert harness.brokerage.state("w1") == (epoch + 1, "FROZEN")
    assert not (await freeze(ann)).fence_pending


async def test_who_may_not_and_what_is_not_there_is_refused(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    with pytest.raises(InvalidRequest, match="request_id"):
        await freeze(ann, "")
    with pytest.raises(NotFound, match="E_WORLD_UNKNOWN"):
        await ann.applies.DrainWorld(applyservicepb.DrainWorldRequest(world_id="none", request_id="1"))
    with pytest.raises(InvalidRequest, match="run_id"):
        await ann.applies.Apply(plan("freeze:1"))


async def test_a_freeze_that_a_full_disk_does_not_take_shuts_the_gates_of_its_world_until_it_is_written(
    small_disk: SmallDisk, nats_url: str
) -> None:
    async with running_harness(small_disk.folder / "home", nats_url) as harness:
        ann = await make_trading(harness, "w1", "s")
        gateway = await harness.gateway()
        bob = await harness.stub(Role.READER, "bob")

        async def to_shut() -> list[str]:
            """The worlds that a gateway which renews is told to shut."""
            renewing = gateservicepb.RenewGateSessionRequest(gateway_id="g", boot_id="b")
            return list((await gateway.gates.RenewGateSession(renewing)).shut_world_ids)

        await freeze(ann, "0")
        await resumed(harness, ann, "freeze:0")
        await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g", boot_id="b"))
        small_disk.fill()
        with pytest.raises(QmtlError) as nobody:
            await freeze(bob)
        assert nobody.value.reason == "E_ROLE_REQUIRED"
        assert await to_shut() == []  # such a disk takes the one row of a renewal
        asked_at = harness.clock.now()
        with pytest.raises(Unavailable) as caught:
            await freeze(ann)
        assert caught.value.reason == "E_HOLD_UNWRITTEN"
        assert "gateways are told to shut the world as they renew: within 6 s" in caught.value.hint
        assert await to_shut() == ["w1"]
        small_disk.free()
        assert await to_shut() == ["w1"]
        opening = gateservicepb.OpenGateSessionRequest(gateway_id="h", boot_id="c")
        assert (await gateway.gates.OpenGateSession(opening)).shut_world_ids == ["w1"]
        await freeze(ann, "0")
        await drain(ann)
        assert await to_shut() == ["w1"]  # an older freeze and a drain do not what is asked for
        assert not (await freeze(ann, "2")).fence_pending
        assert await to_shut() == []
        assert not (await freeze(ann)).fence_pending
        await resumed(harness, ann, "freeze:1")
        assert harness.clock.now() - asked_at < KEPT
        await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g", boot_id="b"))


async def test_a_freeze_that_a_damaged_store_does_not_take_shuts_the_gates_of_its_world_too(
    harness: WorldHarness,
) -> None:
    ann = await make_trading(harness, "w1", "s")
    gateway = await harness.gateway()
    await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g", boot_id="b"))
    with closing(sqlite3.connect(harness.home / "state" / "worldservice.db", isolation_level=None)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        ((size,),) = conn.execute("PRAGMA page_size").fetchall()
        ((page,),) = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'apply_steps'").fetchall()
        with (harness.home / "state" / "worldservice.db").open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        conn.execute("CREATE TABLE another (a INTEGER)")  # what connections hold of the file is read anew
    with pytest.raises(Unavailable, match=r"E_HOLD_UNWRITTEN.*damaged"):
        await freeze(ann)
    renewing = gateservicepb.RenewGateSessionRequest(gateway_id="g", boot_id="b")
    assert (await gateway.gates.RenewGateSession(renewing)).shut_world_ids == ["w1"]


def test_an_unwritten_hold_is_forgotten_once_nobody_asks_for_it() -> None:
    clock = VirtualClock(NOW)
    unwritten = UnwrittenHolds(clock)
    freezing, again, draining = (
        Hold("freeze:1", HoldState.FROZEN),
        Hold("freeze:2", HoldState.FROZEN),
        Hold("drain:1", HoldState.DRAINED),
    )
    unwritten.asked("w1", freezing)
    unwritten.asked("w1", draining)
    clock.advance(KEPT)
    assert unwritten.current() == (("w1", freezing), ("w1", draining))
    unwritten.asked("w1", again)
    clock.advance(timedelta(milliseconds=1))
    assert unwritten.current() == (("w1", again),)


@pytest.mark.parametrize(
    ("asked", "standing", "is_met"),
    [
        (HoldState.FROZEN, None, False),
        (HoldState.FROZEN, HoldState.FROZEN, True),
        (HoldState.FROZEN, HoldState.DRAINED, False),
        (HoldState.FROZEN, HoldState.RUNNING, False),
        (HoldState.DRAINED, HoldState.FROZEN, True),
        (HoldState.DRAINED, HoldState.DRAINED, True),
        (HoldState.DRAINED, HoldState.RELEASED, False),
    ],
)
def test_what_was_asked_for_is_met_by_what_lets_no_more_through(
    asked: HoldState, standing: HoldState | None, is_met: bool
) -> None:
    assert met(Hold("a", asked), None if standing is None else Hold("b", standing)) is is_met
