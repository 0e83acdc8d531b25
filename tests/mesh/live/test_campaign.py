"""Strategies go live by their campaigns, and come back: with real processes, at the local exchange."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from qmtl.core.errors import NotReady
from qmtl.core.instants import from_ns
from qmtl.core.tasks.ending import end
from qmtl.gateway.v1 import rebalancing_service_pb2 as rebalancingservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2_grpc as rebalancingrpc
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.sdk import Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.mesh.divergence import TradedRun, create_report
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.mesh.live.campaign_world import LOT, WAIT_S, Candidate, Story, sealed_days, telling
from tests.mesh.live.live_world import MEANT
from tests.mesh.live.test_runner import Flips, Heard, is_bar, is_fill
from tests.support.waiting import eventually
from tests.worldservice.risk.books import message_of, series, snapshot_of

# short doubles: tests/worldservice/campaigns, tests/cli/commands/campaign
pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
GOING = (rebalancepb.REBALANCE_STATE_RECORDED, rebalancepb.REBALANCE_STATE_EXECUTING)
RISK = 'risk: {exit: [{when: "drawdown > 0.15", of: strategy, act: drain}]}\n'


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with telling(tmp_path) as made:
        yield made


async def promoted(one: Candidate) -> None:
    """Asked for, barred, approved, and applied."""
    campaigns, ask, named = one.story.client.campaigns, one.story.ask, (one.world, one.strategy_id)
    asked = campaignservicepb.RequestPromotionRequest(
        world_id=one.world, strategy_id=one.strategy_id, run_id="p1", reason="its evidence is whole"
    )
    await ask(lambda: campaigns.RequestPromotion(asked))
    assert await one.blocks() == {"APPROVAL_MISSING"}, named
    applying = campaignservicepb.ApplyPromotionRequest(world_id=one.world, strategy_id=one.strategy_id, run_id="p1")
    with pytest.raises(NotReady, match="E_PROMOTION_BLOCKED"):
        await ask(lambda: campaigns.ApplyPromotion(applying, metadata=MEANT))
    approving = campaignservicepb.ApprovePromotionRequest(
        world_id=one.world, strategy_id=one.strategy_id, run_id="p1", reason="the committee agreed"
    )
    await ask(lambda: campaigns.ApprovePromotion(approving, metadata=MEANT))
    await one.story.killed("worldservice", "gateway")
    await ask(lambda: campaigns.ApplyPromotion(applying, metadata=MEANT))
    await one.story.killed("worldservice", "brokerage")
    await one.reaches(campaignpb.CAMPAIGN_PHASE_LIVE_CANARY)


async def compared(one: Candidate, paper: SessionResult) -> None:
    """The replay under a model without the 20 bp that the account paid finds them in the prices of the same orders."""
    run = TradedRun(one.world, one.strategy_id, paper.session.session_id, until=played(paper))
    same = await create_report(one.story.live.gateway, one.make(), run)
    assert same.figures.pair_count >= 4, same
    await one.put_policy(slippage_bps=0)  # the account keeps its 20 bp, what is replayed has none
    worse = await create_report(one.story.live.gateway, one.make(), run)
    assert worse.figures.pair_count == same.figures.pair_count
    found = slippage_gap(worse) - slippage_gap(same)  # a close that the runner came too late for shifts both alike
    assert found == pytest.approx(20.0, abs=1.0), (same, worse)
    await one.put_policy(slippage_bps=20)
    assert await one.blocks() == {"APPROVAL_MISSING"}


def slippage_gap(report: divergencepb.DivergenceReport) -> float:
    """Basis points of notional that paper paid above its replay, by the pairs of orders."""
    return report.figures.live_slippage_bps - report.figures.replay_slippage_bps


def played(paper: SessionResult) -> datetime:
    """The last close of a session that was played."""
    (bars,) = paper.bars
    return from_ns(int(bars.close_ns[-1]))


class Steps(Strategy):
    """Long while the last three seconds rise."""

    name = "steps"

    def setup(self) -> None:
        price = StreamInput("BTC/USDT", interval="1s")
        rising = signals.trend(ta.ema(price, 2), ta.ema(price, 4))
        self.trade(signals.position_target(rising, long=0.3, short=0.0), price)


@asynccontextmanager
async def trading(one: Candidate) -> AsyncIterator[tuple[asyncio.Task[SessionResult], Heard]]:
    """The strategy's runner on its account at the exchange, until the block ends; what trades there stays."""
    heard = Heard()
    run = asyncio.create_task(
        Runner.run_async(
            one.make(), world=one.world, gateway=one.story.live.gateway, on_event=heard, allow_live=True,
            terms=SessionTerms(account=one.account),
        )
    )  # fmt: skip
    try:
        yield run, heard
    finally:
        await end(run)


async def advanced(one: Candidate) -> None:
    """From the canary's step to its whole weight, once it has traded there."""
    async with trading(one) as (run, heard):
        await heard.next(run, is_fill)
        step = campaignservicepb.AdvanceCanaryRequest(world_id=one.world, strategy_id=one.strategy_id, run_id="a1")
        await one.story.ask(lambda: one.story.client.campaigns.AdvanceCanary(step, metadata=MEANT))
        await one.story.killed("worldservice", "brokerage", "gateway")
        await one.reaches(campaignpb.CAMPAIGN_PHASE_LIVE_FULL)
        await heard.next(run, is_fill)


async def rebalanced(one: Candidate) -> None:
    """Half the share: planned, applied and executed while its runner is away, and held is half as much."""
    while True:
        async with trading(one) as (run, heard):
            await heard.next(run, is_fill)
        await eventually(one.is_settled, WAIT_S)
        if await one.held() >= LOT:
            break
    before, ask, client = await one.held(), one.story.ask, one.story.client
    await shared(one, 1, "0.2")
    request = rebalancepb.RebalanceRequest(
        account=one.account,
        revisions=rebalancepb.ShareRevisions(before_revision=1, after_revision=2),
        slippage_max_bps="1000",  # the exchange quotes 99 to 101, its bars are of 100 to 103
    )
    planning = allocationservicepb.PlanRebalanceRequest(rebalance=request)
    plan = (await ask(lambda: client.allocations.PlanRebalance(planning))).plan
    (leg,) = plan.legs
    assert (leg.scale, leg.reduce_only, Decimal(leg.quantity)) == ("0.5", True, before), plan
    applying = allocationservicepb.ApplyRebalanceRequest(
        rebalance=request, run_id="halved", plan_hash=plan.plan_hash, reason="less of it"
    )
    await ask(lambda: client.allocations.ApplyRebalance(applying))
    executing = rebalancingservicepb.ExecuteRebalanceRequest(account=one.account, run_id="halved")
    gateway = rebalancingrpc.RebalancingServiceStub(one.story.channel)
    await ask(lambda: gateway.ExecuteRebalance(executing, metadata=MEANT))
    await one.story.killed("gateway", "worldservice")
    watching = allocationservicepb.GetRebalanceRequest(account=one.account, run_id="halved")
    found: list[rebalancepb.RebalanceRun] = []

    async def closed() -> bool:
        await asyncio.sleep(0.2)
        found[:] = [(await ask(lambda: client.allocations.GetRebalance(watching))).run]
        return found[0].state not in GOING

    await eventually(closed, WAIT_S)
    assert found[0].state == rebalancepb.REBALANCE_STATE_COMPLETED, found[0]
    await eventually(one.is_settled, WAIT_S)
    assert await one.held() == before + Decimal(leg.rounded)


async def shared(one: Candidate, expected: int, share: str) -> None:
    """The world's share of its account, all of it the strategy's."""
    asked = allocationservicepb.UpsertAllocationsRequest(
        account=one.account,
        run_id=f"shares-{expected}",
        expected_revision=expected,
        worlds=[allocationpb.WorldShare(world_id=one.world, share=share)],
        strategies=[allocationpb.StrategyShare(world_id=one.world, strategy_id=one.strategy_id, share=share)],
        reason="a story",
    )
    await one.story.ask(lambda: one.story.client.allocations.UpsertAllocations(asked))


async def led_out(one: Candidate) -> None:
    """A limit of the policy is breached by what the hub is told, and the strategy drains until it is flat."""
    async with trading(one) as (run, heard):
        await heard.next(run, is_fill)
        await one.put_policy(20, RISK)
        hub = riskrpc.RiskServiceStub(one.story.channel)
        numbers = itertools.count()

        async def drains() -> bool:
            now = datetime.now(UTC)
            days = series([0.001] * 80 + [-0.3], now.date() - timedelta(days=1))
            name = f"story-{next(numbers)}"
            told = message_of(snapshot_of({one.strategy_id: 1.0}, {one.strategy_id: days}, f"world:{one.world}", name))
            told.as_of.FromDatetime(now)
            put = riskservicepb.PutSnapshotRequest(world_id=one.world, snapshot=told)
            await one.story.ask(lambda: hub.PutSnapshot(put))
            return await one.drains()

        await eventually(drains, WAIT_S)
        await heard.next(run, is_bar)
        await eventually(one.is_flat, WAIT_S)
    asked = riskservicepb.ListBreachesRequest(world_id=one.world)
    listed = await one.story.ask(lambda: hub.ListBreaches(asked))
    (breach,) = [each for each in listed.breaches if each.act]
    assert (breach.state, breach.target) == (riskpb.BREACH_STATE_ACTED, one.strategy_id), breach
    assert {"BREACH_OPEN", "NOT_TRADING_LIVE"} <= await one.blocks()


async def demoted(one: Candidate) -> None:
    """Its approval is taken back: it drains, and does not come back by another approval alone."""
    async with trading(one) as (run, heard):
        await heard.next(run, is_fill)
        revoke = bindingservicepb.RevokeLiveRequest(
            world_id=one.world, strategy_id=one.strategy_id, message="the committee no longer agrees"
        )
        await one.story.ask(lambda: one.story.client.bindings.RevokeLive(revoke))
        await one.story.killed("worldservice", "brokerage", "seamless")
        await one.reaches(campaignpb.CAMPAIGN_PHASE_DEMOTED)
        await heard.next(run, is_bar)
        await eventually(one.is_flat, WAIT_S)
    assert await one.drains()


async def verified(one: Candidate, *facts: str) -> None:
    """Its dossier has what happened, and everything in it comes to the same again."""
    at = datetime.now(UTC)
    whole = await one.dossier(at, verify=True)
    assert list(whole[-1].differences) == []
    assert whole[-1].verified_count >= 2
    texts = [line.text for part in whole for line in part.lines]
    for fact in facts:
        assert any(fact in text for text in texts), (fact, texts)
    again = await one.dossier(at, verify=False)
    assert again[-1].dossier_hash == whole[-1].dossier_hash


async def test_two_strategies_go_live_by_their_campaigns_and_come_back(story: Story) -> None:
    first = Candidate(story, "promoted", Flips, "acc", "main")
    second = Candidate(story, "limited", Steps, "acc-2", "other")
    days, both = await sealed_days(story), (first, second)
    for one in both:
        await one.enter(slippage_bps=20)
        assert {"MISSING_PAPER_RUN", "NOT_PAPER_STAGE", "APPROVAL_MISSING"} <= await one.blocks()
        await one.backtest(*days)
    await story.killed("worldservice", "brokerage", "seamless")
    paper, _ = await asyncio.gather(*(one.trade_on_paper(seconds=25) for one in both))
    await compared(first, paper)
    for one in both:
        await promoted(one)
        await one.open_account()
        await shared(one, 0, "0.4")
    await asyncio.gather(advanced(first), led_out(second))
    await rebalanced(first)
    await demoted(first)
    name = first.strategy_id
    await verified(
        first, f"promotion p1 of {name} APPROVED", f"canary of {name} from step 0 on", "LIVE_FULL to DEMOTED"
    )
    await verified(second, f"promotion p1 of {second.strategy_id} APPROVED", "drawdown > 0.15")
