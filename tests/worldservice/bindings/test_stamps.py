"""A bind answers with the decision of the last moment only while everything that it rests on is as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, SHORT, WorldHarness, evaluation, evaluation_at, make_world, raising
from tests.worldservice.samples import CLAIMS, DOCUMENT, NOW, candidate, fresh, world
from worldservice.bindings.recent_decisions import RECENT_MAX, Noted, RecentDecisions
from worldservice.bindings.stamps import Stamp
from worldservice.evaluation.domain.decision import Decision, WorldFacts, decide
from worldservice.policy.domain.policy import parse_policy

STAMP = Stamp(1, 2, 3, 4, 0, (0, 0, 0))
MOMENT = timedelta(milliseconds=400)


def decided(at: datetime, world_id: str = "alpha") -> Decision:
    facts = WorldFacts(world(world_id), parse_policy(DOCUMENT), (candidate("s"),), fresh(), replay=False)
    return decide(facts, at).decision


def test_a_decision_is_told_again_for_a_second_under_the_same_stamp() -> None:
    recent, made = RecentDecisions(), decided(NOW)
    assert recent.of("alpha", STAMP, NOW) is None
    recent.note(Noted(made, STAMP))
    assert recent.of("alpha", STAMP, NOW + timedelta(seconds=1)) is made
    assert recent.of("alpha", STAMP, NOW + timedelta(seconds=1, microseconds=1)) is None
    assert recent.of("alpha", STAMP, NOW - timedelta(microseconds=1)) is None
    assert recent.of("beta", STAMP, NOW) is None
    others = [replace(STAMP, world=9), replace(STAMP, activation=9), replace(STAMP, decision=9)]
    others += [replace(STAMP, evaluation=9), replace(STAMP, removed=9), replace(STAMP, sessions=(1, 0, 0))]
    assert [recent.of("alpha", other, NOW) for other in others] == [None] * 6


def test_an_older_decision_never_takes_the_place_of_a_newer_one() -> None:
    recent, newer = RecentDecisions(), decided(NOW)
    recent.note(Noted(newer, STAMP))
    recent.note(Noted(decided(NOW - MOMENT), STAMP))
    recent.note(Noted(decided(NOW + MOMENT), replace(STAMP, decision=2)))  # committed before, heard of later
    assert recent.of("alpha", STAMP, NOW) is newer
    later = replace(STAMP, world=2, evaluation=1)
    recent.note(Noted(decided(NOW - MOMENT), later))
    assert recent.of("alpha", STAMP, NOW) is None
    assert recent.of("alpha", later, NOW) is not None


def test_a_bounded_number_of_worlds_is_known() -> None:
    recent = RecentDecisions()
    for number in range(RECENT_MAX + 1):
        recent.note(Noted(decided(NOW, f"w{number}"), STAMP))
    assert recent.of("w0", STAMP, NOW) is None
    assert recent.of("w1", STAMP, NOW) is not None


async def bind(ann: WorldStubs, strategy_id: str) -> decisionpb.DecisionEnvelope:
    return (
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=strategy_id))
    ).decision


async def decision(ann: WorldStubs) -> decisionpb.DecisionEnvelope:
    return (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision


async def two(harness: WorldHarness) -> WorldStubs:
    """A world of two strategies, one of them on paper, that has just answered a bind."""
    ann = await make_world(harness, "w1")
    for name in ("s", "t"):
        await bind(ann, name)
        await ann.evaluation.Evaluate(evaluation(harness, "w1", name, "r1"))
    await ann.activation.SetActivation(raising("w1", "s"))
    await bind(ann, "u")
    return ann


async def test_strategies_that_join_are_answered_with_one_decision(harness: WorldHarness) -> None:
    ann = await two(harness)
    first = await bind(ann, "v")
    harness.clock.advance(MOMENT)
    again = await bind(ann, "x")
    assert again == first
    harness.clock.advance(MOMENT)
    harness.clock.advance(MOMENT)
    later = await bind(ann, "y")
    assert later.decided_at.ToDatetime() - first.decided_at.ToDatetime() == 3 * MOMENT
    assert later.etag == first.etag


async def test_the_bind_after_a_session_has_opened_names_its_as_of(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    await bind(ann, "s")
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    await ann.activation.SetActivation(raising("w1", "s"))
    harness.clock.advance(MOMENT)
    assert await bind(ann, "s") == await decision(ann)


async def test_a_bind_that_closes_the_session_is_not_told_again(harness: WorldHarness) -> None:
    ann = await two(harness)
    narrowed = bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s", sides=[SHORT])
    closing = (await ann.bindings.BindStrategy(narrowed)).decision
    after = await bind(ann, "v")
    assert after == await decision(ann)
    assert after.data_end != closing.data_end


Write: TypeAlias = "Callable[[WorldStubs, WorldHarness], Awaitable[object]]"
WRITES: dict[str, Write] = {
    "breaker": lambda ann, harness: ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    ),
    "policy": lambda ann, harness: ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS.replace("0.6", "0.7"), make_default=True)
    ),
    "evaluated": lambda ann, harness: ann.evaluation.Evaluate(
        evaluation_at(harness.clock.now() + timedelta(seconds=30), "w1", "t", "r2", sharpe=0.1)
    ),
    "evaluated, nothing else new": lambda ann, harness: ann.evaluation.Evaluate(
        evaluation_at(harness.clock.now() + timedelta(seconds=30), "w1", "t", "r2")
    ),
    "left": lambda ann, harness: ann.bindings.UnbindStrategy(
        bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="t")
    ),
    "unselected left": lambda ann, harness: ann.bindings.UnbindStrategy(
        bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="u")
    ),
    "lowered": lambda ann, harness: ann.activation.SetActivation(
        activationservicepb.SetActivationRequest(
            world_id="w1",
            changes=[
                activationpb.ActivationChange(strategy_id="s", side=LONG, active=False, stage=bindingpb.STAGE_BACKTEST)
            ],
        )
    ),
}


@pytest.mark.parametrize("name", WRITES)
async def test_after_a_write_a_bind_answers_with_a_new_decision(harness: WorldHarness, name: str) -> None:
    ann = await two(harness)
    harness.clock.advance(MOMENT)
    await WRITES[name](ann, harness)
    assert await bind(ann, "v") == await decision(ann)


async def test_a_watermark_that_moved_is_in_the_next_answer(harness: WorldHarness) -> None:
    ann = await two(harness)
    request = sessionservicepb.GetSessionRequest(world_id="w1", execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN)
    gateway = await harness.gateway()
    session = (await gateway.sessions.GetSession(request)).session
    harness.clock.advance(MOMENT)
    moved = sessionservicepb.AdvanceWatermarkRequest(session_id=session.session_id)
    moved.watermark.FromDatetime(harness.clock.now())
    await gateway.sessions.AdvanceWatermark(moved)
    assert await bind(ann, "v") == await decision(ann)
