"""Sessions of worlds and of gateways over the wire."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import session_pb2 as sessionpb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, PAPER, WorldHarness, evaluation, make_trading, make_world, raising, stamp

DRYRUN = commonpb.EXECUTION_DOMAIN_DRYRUN


async def session(harness: WorldHarness, world_id: str = "w1") -> sessionpb.Session:
    gateway = await harness.gateway()
    return (
        await gateway.sessions.GetSession(
            sessionservicepb.GetSessionRequest(world_id=world_id, execution_domain=DRYRUN)
        )
    ).session


async def replay_world(harness: WorldHarness) -> WorldStubs:
    """A world on recorded data that ended long ago."""
    ann = await make_world(harness, "w1", presets=("demo.btc.15m",))
    bound = await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    assert list(bound.data_presets) == ["demo.btc.15m"]
    run = evaluation(harness, "w1", "s")
    end = harness.clock.now() - timedelta(days=1000)
    run.data_start.CopyFrom(stamp(end - timedelta(days=80)))
    run.data_end.CopyFrom(stamp(end))
    await ann.evaluation.Evaluate(run)
    return ann


async def test_the_first_strategy_opens_the_session_and_the_last_closes_it(harness: WorldHarness) -> None:
    await make_world(harness, "w1")
    with pytest.raises(NotFound, match="E_SESSION_UNKNOWN"):
        await session(harness)
    ann = await make_trading(harness, "w1", "s", "t")
    opened = await session(harness)
    assert (opened.start, opened.state) == (opened.watermark, sessionpb.SESSION_STATE_OPEN)
    shown = (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation
    assert list(shown.sessions) == [opened]
    for strategy_id in ("s", "t"):
        assert await session(harness) == opened
        low = activationpb.ActivationChange(strategy_id=strategy_id, side=LONG, stage=bindingpb.STAGE_BACKTEST)
        await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[low]))
    with pytest.raises(NotFound, match="E_SESSION_UNKNOWN"):
        await session(harness)


async def test_opening_answers_the_open_session_and_never_opens_for_nobody(harness: WorldHarness) -> None:
    gateway = await harness.gateway()
    await make_world(harness, "w1")
    request = sessionservicepb.OpenSessionRequest(world_id="w1", execution_domain=DRYRUN)
    with pytest.raises(NotReady) as caught:
        await gateway.sessions.OpenSession(request)
    assert caught.value.reason == "E_MODE_CEILING"
    await make_trading(harness, "w1", "s")
    assert (await gateway.sessions.OpenSession(request)).session == await session(harness)
    with pytest.raises(InvalidRequest, match="E_DOMAIN"):
        await gateway.sessions.OpenSession(
            sessionservicepb.OpenSessionRequest(world_id="w1", execution_domain=commonpb.EXECUTION_DOMAIN_BACKTEST)
        )


async def test_a_watermark_only_grows_and_keeps_the_world_current(harness: WorldHarness) -> None:
    await make_trading(harness, "w1", "s")
    gateway, opened = await harness.gateway(), await session(harness)
    harness.clock.advance(timedelta(minutes=4))
    ahead = stamp(harness.clock.now())
    moved = await gateway.sessions.AdvanceWatermark(
        sessionservicepb.AdvanceWatermarkRequest(session_id=opened.session_id, watermark=ahead)
    )
    assert moved.session.watermark == ahead
    back = sessionservicepb.AdvanceWatermarkRequest(session_id=opened.session_id, watermark=opened.start)
    assert (await gateway.sessions.AdvanceWatermark(back)).session.watermark == ahead
    harness.clock.advance(timedelta(minutes=4))
    ann = await harness.stub()
    assert (
        await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))
    ).decision.effective_mode == PAPER
    with pytest.raises(NotFound, match="E_SESSION_UNKNOWN"):
        await gateway.sessions.AdvanceWatermark(
            sessionservicepb.AdvanceWatermarkRequest(session_id="none", watermark=ahead)
        )


async def test_a_replay_world_is_current_by_its_watermark_and_never_live(harness: WorldHarness) -> None:
    ann = await replay_world(harness)
    decision = (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision
    assert decision.effective_mode == PAPER
    assert decisionpb.DECISION_REASON_REPLAY_NEVER_LIVE in decision.reasons
    await ann.activation.SetActivation(raising("w1", "s"))
    opened = await session(harness)
    assert opened.start == decision.data_end
    assert (opened.data_preset, opened.dataset_fingerprint) == ("demo.btc.15m", "blake3:data")
    assert (
        await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))
    ).decision.as_of == opened.start


async def test_a_session_in_use_is_not_closed(harness: WorldHarness) -> None:
    ann, gateway = await make_trading(harness, "w1", "s"), await harness.gateway()
    opened = await session(harness)
    with pytest.raises(NotReady) as caught:
        await gateway.sessions.CloseSession(sessionservicepb.CloseSessionRequest(session_id=opened.session_id))
    assert caught.value.reason == "E_SESSION_IN_USE"
    await ann.bindings.UnbindStrategy(bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="s"))
    closed = (
        await gateway.sessions.CloseSession(sessionservicepb.CloseSessionRequest(session_id=opened.session_id))
    ).session
    assert closed.state == sessionpb.SESSION_STATE_CLOSED


async def test_a_gateway_joins_with_every_activation_and_renews_with_what_is_new(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    gateway = await harness.gateway()
    joined = await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id="b1"))
    assert [envelope.world_revision for envelope in joined.activations] == [1]
    assert joined.session.ttl.ToTimedelta() == timedelta(seconds=5)
    renew = gateservicepb.RenewGateSessionRequest(gateway_id="g1", boot_id="b1", applied_world_revisions={"w1": 1})
    assert not (await gateway.gates.RenewGateSession(renew)).activations
    frozen = activationpb.ActivationChange(strategy_id="s", side=LONG, freeze=True)
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[frozen]))
    (news,) = (await gateway.gates.RenewGateSession(renew)).activations
    assert news.entries[0].freeze
    assert (await ann.status.GetStatus(statusservicepb.GetStatusRequest())).gate_sessions == 1


async def test_a_deaf_gateway_is_not_renewed(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    gateway = await harness.gateway()
    await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id="b1"))
    weight = activationpb.ActivationChange(strategy_id="s", side=LONG, weight="0.5")
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[weight]))
    deaf = gateservicepb.RenewGateSessionRequest(gateway_id="g1", boot_id="b1", applied_world_revisions={"w1": 1})
    harness.clock.advance(2.0)
    await gateway.gates.RenewGateSession(deaf)
    harness.clock.advance(2.0)
    with pytest.raises(NotReady) as caught:
        await gateway.gates.RenewGateSession(deaf)
    assert caught.value.reason == "E_GATE_LAGS"
    deaf.applied_world_revisions["w1"] = 2
    await gateway.gates.RenewGateSession(deaf)


async def test_a_gate_session_that_lapsed_or_was_taken_over_has_to_be_opened_again(harness: WorldHarness) -> None:
    gateway = await harness.gateway()
    renew = gateservicepb.RenewGateSessionRequest(gateway_id="g1", boot_id="b1")
    with pytest.raises(NotFound):
        await gateway.gates.RenewGateSession(renew)
    await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id="b1"))
    harness.clock.advance(6.0)
    await gateway.gates.RenewGateSession(renew)
    harness.clock.advance(6.1)
    with pytest.raises(NotFound) as caught:
        await gateway.gates.RenewGateSession(renew)
    assert caught.value.reason == "E_GATE_SESSION_UNKNOWN"
    await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id="b2"))
    with pytest.raises(NotFound):
        await gateway.gates.RenewGateSession(renew)


async def test_a_gateway_id_belongs_to_the_process_that_runs_and_another_is_refused_by_name(
    harness: WorldHarness,
) -> None:
    gates = (await harness.gateway()).gates

    async def open_as(boot: str) -> None:
        await gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id=boot))

    async def renew_as(boot: str) -> None:
        await gates.RenewGateSession(gateservicepb.RenewGateSessionRequest(gateway_id="g1", boot_id=boot))

    await open_as("b1")
    await open_as("b2")  # as a restart looks: the old one may be gone
    await renew_as("b2")
    await renew_as("b1")  # it is not
    for act in (renew_as, open_as, renew_as):
        with pytest.raises(NotReady, match="which another gateway that runs has") as refused:
            await act("b2")
        assert refused.value.reason == "E_GATEWAY_ID_IN_USE"
        assert refused.value.metadata == {"gateway_id": "g1"}
    await renew_as("b1")
    harness.clock.advance(6.1)  # b1 is gone
    await open_as("b2")
    await renew_as("b2")


async def test_a_restarted_gateway_has_its_session_at_once_and_a_copy_that_is_woken_late_does_not_take_it(
    harness: WorldHarness,
) -> None:
    gates = (await harness.gateway()).gates
    for boot in ("b1", "b2"):
        await gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id=boot))
    new = gateservicepb.RenewGateSessionRequest(gateway_id="g1", boot_id="b2")
    for _ in range(2):
        harness.clock.advance(4.0)
        await gates.RenewGateSession(new)
    with pytest.raises(NotFound, match="has no session"):
        await gates.RenewGateSession(gateservicepb.RenewGateSessionRequest(gateway_id="g1", boot_id="b1"))
    await gates.RenewGateSession(new)


async def test_gate_sessions_are_for_services_only(harness: WorldHarness) -> None:
    with pytest.raises(InvalidRequest):
        await (await harness.gateway()).gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1"))
    nobody = await harness.gateway("seamless")
    with pytest.raises(PermissionDenied):
        await nobody.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id="b1"))


async def test_a_live_feed_keeps_its_worlds_current_and_moves_their_sessions(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", presets=("live",))
    seamless, opened = await harness.gateway("seamless"), await session(harness)

    async def told(minutes: int, due: int) -> sessionservicepb.AdvanceFeedResponse:
        start = opened.start.ToDatetime(UTC)
        ends, closes = start + timedelta(minutes=minutes), start + timedelta(minutes=due)
        request = sessionservicepb.AdvanceFeedRequest(
            data_preset="live", watermark=stamp(ends), next_close=stamp(closes)
        )
        return await seamless.sessions.AdvanceFeed(request)

    async def decided() -> decisionpb.DecisionEnvelope:
        return (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision

    await told(3, 60)
    assert (await session(harness)).watermark.ToDatetime(UTC) == opened.start.ToDatetime(UTC) + timedelta(minutes=3)
    assert (await told(2, 70)).watermark == (await session(harness)).watermark, "an older time changes nothing"
    harness.clock.advance(timedelta(minutes=60))
    assert (await decided()).effective_mode == PAPER, "the next bar was due only now"
    harness.clock.advance(timedelta(minutes=7))
    stale = await decided()
    assert decisionpb.DECISION_REASON_DATA_STALE in stale.reasons
    assert stale.ttl.ToTimedelta() == timedelta(seconds=5), "clients remember it for a little only"
    await told(60, 120)
    back = await decided()
    assert back.effective_mode == PAPER, "it comes back with the bars"
    assert back.ttl.ToTimedelta() > timedelta(seconds=5)


async def test_only_the_data_service_tells_of_feeds(harness: WorldHarness) -> None:
    now = harness.clock.now()
    request = sessionservicepb.AdvanceFeedRequest(
        data_preset="live", watermark=stamp(now), next_close=stamp(now + timedelta(minutes=1))
    )
    with pytest.raises(PermissionDenied):
        await (await harness.gateway()).sessions.AdvanceFeed(request)
    seamless = await harness.gateway("seamless")
    await seamless.sessions.AdvanceFeed(request)
    request.next_close.CopyFrom(request.watermark)
    with pytest.raises(InvalidRequest, match="E_FEED"):
        await seamless.sessions.AdvanceFeed(request)
