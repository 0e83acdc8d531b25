"""The audit log alone leads to the activation: through changes, narrowings, applies and windows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.windows import Window
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import DataLoss, NotFound
from qmtl.core.limits import RiskLimits
from qmtl.core.modes import EffectiveMode
from qmtl.core.roles import Role
from qmtl.sql.database import Database, sqlite_url
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.waiting import eventually
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, SHORT, WorldHarness, evaluation, make_trading, make_world, raising
from tests.worldservice.samples import CLAIMS, NOW, binding
from worldservice.activation.domain.activation import Activation, confirm, empty, narrowed
from worldservice.activation.domain.history import ActivationRecord, rebuild, record_of
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.wire import record_from_proto, record_to_proto
from worldservice.apply.domain.phases import frozen
from worldservice.policy.domain.trading_terms import NO_TERMS, Terms
from worldservice.worlds.domain.binding import Side
from worldservice.worlds.tables import audit_log

WINDOW = Window(frozenset(range(5)), time(9, 30), time(16), "America/New_York")
BOUND = {name: binding(name) for name in ("s", "t")}
CHANGES = st.builds(
    Change, st.sampled_from(["s", "t"]), st.sampled_from(Side), active=st.none() | st.booleans(),
    weight=st.none() | st.sampled_from([0.0, 0.25, 1.0]), freeze=st.none() | st.booleans(),
    drain=st.none() | st.booleans(),
)  # fmt: skip


def lived(steps: Iterable[Change | str]) -> list[Activation]:
    """The activations a world went through, the empty one first."""
    states = [empty("alpha", NOW)]
    for number, step in enumerate(steps, start=1):
        last, now = states[-1], NOW + timedelta(seconds=number)
        if isinstance(step, Change):
            after, _ = change_activation(last, [step], BOUND, lambda *_: EffectiveMode.PAPER, now)
        elif step == "confirm":
            after = confirm(last, last.fence.epoch)
        elif step == "freeze":
            after = frozen(last, "run", now)
        elif step == "unbind":
            after = narrowed(last, {"t": BOUND["t"]}, lambda *_: EffectiveMode.PAPER, now)
        else:
            terms = NO_TERMS if last.windows else Terms((WINDOW,), RiskLimits(gross_notional_max=Decimal("2500.50")))
            after = narrowed(last, BOUND, lambda *_: EffectiveMode.PAPER, now, terms)
        if after != last:
            states.append(after)
    return states


def records_of(states: list[Activation]) -> list[ActivationRecord]:
    known = [None, *(state.revision for state in states[1:])]
    return [record_of(*pair, recorded) for pair, recorded in zip(itertools.pairwise(states), known, strict=False)]


@given(st.lists(CHANGES | st.sampled_from(["confirm", "freeze", "unbind", "terms"]), max_size=12))
def test_the_records_of_any_history_lead_to_each_of_its_states(steps: list[Change | str]) -> None:
    states = lived(steps)
    kept = [record_from_proto(record_to_proto(record)) for record in records_of(states)]
    for length, state in enumerate(states[1:], start=1):
        assert rebuild("alpha", NOW, kept[:length]) == state


def test_a_record_that_is_missing_or_changed_is_seen() -> None:
    kept = records_of(lived([Change("s", Side.LONG, active=True), Change("t", Side.LONG, active=True), "freeze"]))
    with pytest.raises(DataLoss) as gap:
        rebuild("alpha", NOW, [kept[0], kept[2]])
    assert gap.value.reason == "E_AUDIT_BROKEN"
    forged = replace(kept[1], entries=tuple(replace(entry, weight=0.5) for entry in kept[1].entries))
    with pytest.raises(DataLoss):
        rebuild("alpha", NOW, [kept[0], forged])
    weights = records_of(lived([Change("s", Side.LONG, weight=0.25), Change("t", Side.LONG), Change("t", Side.SHORT)]))
    lost = replace(weights[1], entries=())
    for broken in ([weights[0], lost], [weights[0], lost, weights[2]]):  # seen at the end of the fold
        with pytest.raises(DataLoss):
            rebuild("alpha", NOW, broken)


def test_a_whole_record_needs_none_before_it() -> None:
    states = lived([Change("s", Side.LONG, active=True), Change("t", Side.SHORT, active=True)])
    whole = record_of(states[1], states[2], None)
    assert rebuild("alpha", NOW, [whole]) == states[2]
    distant = replace(states[2], revision=500)
    assert record_of(states[1], distant, states[1].revision).whole


def test_after_a_change_without_a_record_the_next_one_is_whole() -> None:
    changes = [Change("s", Side.LONG, active=True), Change("t", Side.LONG, active=True), Change("s", Side.LONG)]
    states = lived([*changes, Change("s", Side.LONG, weight=0.25)])
    kept = records_of(states)
    assert not kept[-1].whole
    again = record_of(states[-2], states[-1], kept[0].revision)
    assert again.whole
    assert rebuild("alpha", NOW, [kept[0], again]) == states[-1]


def test_a_record_is_read_whatever_became_of_its_zone() -> None:
    """An older build took zones that are refused now."""
    states = lived([Change("s", Side.LONG, active=True)])
    old = replace(records_of(states)[0], windows=(replace(WINDOW, tz="localtime"),))
    assert record_from_proto(record_to_proto(old)) == old


async def rebuilt(stub: WorldStubs, revision: int = 0) -> activationservicepb.RebuildActivationResponse:
    return await stub.activation.RebuildActivation(
        activationservicepb.RebuildActivationRequest(world_id="w1", world_revision=revision)
    )


async def ended(stub: WorldStubs, run_id: str) -> None:
    async def there() -> bool:
        run = (await stub.applies.GetApplyRun(applyservicepb.GetApplyRunRequest(world_id="w1", run_id=run_id))).run
        return run.HasField("ended_at")

    await eventually(there, 20.0)


async def test_the_log_of_a_whole_life_leads_to_the_stored_activation(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    for name in ("s", "t"):
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
        await ann.evaluation.Evaluate(evaluation(harness, "w1", name, "r1"))
    await ann.activation.SetActivation(raising("w1", "s"))
    await ann.activation.SetActivation(raising("w1", "t", SHORT))
    narrower = activationpb.ActivationChange(strategy_id="s", side=LONG, weight="0.25", drain=True)
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[narrower]))
    before_apply = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation
    target = applypb.ApplyTarget(strategy_id="t", side=LONG, weight="0.5", stage=bindingpb.STAGE_PAPER)
    targets = applypb.ApplyTargets(targets=[target])
    await ann.applies.Apply(applyservicepb.ApplyRequest(world_id="w1", run_id="a1", targets=targets))
    await ended(ann, "a1")
    windowed = CLAIMS + 'activation_windows: [{days: [mon..fri], from: "09:30", to: "16:00", tz: America/New_York}]\n'
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=windowed, make_default=True))
    await ann.bindings.UnbindStrategy(bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="s"))

    stored = (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation
    await eventually(lambda: same(ann))
    now = await rebuilt(ann)
    assert (now.activation.world_revision, now.activation.state_hash) == (stored.world_revision, stored.state_hash)
    assert list(now.activation.windows) == list(stored.windows) != []
    then = await rebuilt(ann, before_apply.world_revision)
    assert not then.same_as_stored
    assert list(then.activation.entries) == list(before_apply.entries)
    assert then.activation.state_hash == before_apply.state_hash
    for revision in (10_000, 2**63 - 1, 2**63, 2**64 - 1):
        with pytest.raises(NotFound) as unknown:
            await rebuilt(ann, revision)
        assert unknown.value.reason == "E_REVISION_UNKNOWN"


async def same(ann: WorldStubs) -> bool:
    """Once brokerage's confirmations are in."""
    return (await rebuilt(ann)).same_as_stored


async def test_a_log_that_was_tampered_with_is_told(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "r1"))
    await ann.activation.SetActivation(raising("w1", "s"))
    await ann.activation.SetActivation(
        activationservicepb.SetActivationRequest(
            world_id="w1", changes=[activationpb.ActivationChange(strategy_id="s", side=LONG, weight="0.5")]
        )
    )
    assert (await rebuilt(await harness.stub(Role.READER, "rob"))).records >= 2
    await tamper(harness.home)
    with pytest.raises(DataLoss) as told:
        await rebuilt(ann)
    assert told.value.reason == "E_AUDIT_BROKEN"


async def tamper(home: Path) -> None:
    """Give the last change more weight than it had."""
    db = Database(sqlite_url(home / "state" / "worldservice.db"))
    where = (audit_log.c.event == "ActivationChanged", audit_log.c.world_id == "w1")
    newest = sa.select(audit_log.c.sequence, audit_log.c.record).where(*where).order_by(audit_log.c.sequence.desc())
    found = await db.read(lambda conn: conn.execute(newest.limit(1)).one())
    sequence, raw = found
    record = activationpb.ActivationRecord.FromString(raw)
    record.entries[0].weight = "1"
    forged = sa.update(audit_log).where(audit_log.c.sequence == sequence).values(record=record.SerializeToString())
    await db.write(lambda conn: conn.execute(forged))
    await db.close()


async def test_what_an_older_build_changed_without_a_record_does_not_break_the_log(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await eventually(lambda: same(ann))
    revision = (await rebuilt(ann)).activation.world_revision
    db = Database(sqlite_url(harness.home / "state" / "worldservice.db"))
    blank = {"record": None, "record_revision": None, "record_whole": None}
    unrecorded = sa.update(audit_log).where(audit_log.c.record_revision == revision).values(**blank)
    await db.write(lambda conn: conn.execute(unrecorded))
    await db.close()
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, weight="0.5")
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
    await eventually(lambda: same(ann))
    assert (await rebuilt(ann)).activation.world_revision == revision + 1


async def test_old_worlds_without_records_get_a_whole_one_first(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "r1"))
    await ann.activation.SetActivation(raising("w1", "s"))
    db = Database(sqlite_url(harness.home / "state" / "worldservice.db"))
    await db.write(lambda conn: conn.execute(sa.delete(audit_log).where(audit_log.c.record.is_not(None))))
    await db.close()
    await ann.activation.SetActivation(raising("w1", "s", SHORT))
    await eventually(lambda: same(ann))
    entries = (await rebuilt(ann)).activation.entries
    assert [(entry.strategy_id, entry.side) for entry in entries] == [
        ("s", commonpb.SIDE_LONG), ("s", commonpb.SIDE_SHORT)
    ]  # fmt: skip
