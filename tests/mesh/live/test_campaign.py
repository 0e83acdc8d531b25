"""Strategies go live by their campaigns, and come back: with real processes, at the local exchange."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
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
from tests.mesh.live.campaign_world import (
    LOT,
    WAIT_S,
    Candidate,
    Story,
    VenueAccount,
    make_world,
    put_policy,
    sealed_days,
    telling,
)
from tests.mesh.live.live_world import MEANT
from tests.mesh.live.test_runner import Flips, Heard, is_bar, is_fill
from tests.support.waiting import eventually
from tests.worldservice.risk.books import message_of, series, snapshot_of

# short doubles: tests/worldservice/campaigns, tests/cli/commands/campaign
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
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
        world_id=one.world, strategy_id=one.strategy_id, run_id=one.promotion, reason="its evidence is whole"
    )
    await ask(lambda: campaigns.RequestPromotion(asked))
    assert await one.blocks() == {"APPROVAL_MISSING"}, named
    applying = campaignservicepb.ApplyPromotionRequest(
        world_id=one.world, strategy_id=one.strategy_id, run_id=one.promotion
    )
    with pytest.raises(NotReady, match="E_PROMOTION_BLOCKED"):
        await ask(lambda: campaigns.ApplyPromotion(applying, metadata=MEANT))
    approving = campaignservicepb.ApprovePromotionRequest(
        world_id=one.world, strategy_id=one.strategy_id, run_id=one.promotion, reason="the committee agreed"
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
    await put_policy(one.story, one.world, slippage_bps=0)  # the account keeps its 20 bp, what is replayed has none
    worse = await create_report(one.story.live.gateway, one.make(), run)
    assert worse.figures.pair_count == same.figures.pair_count
    found = slippage_gap(worse) - slippage_gap(same)  # a close that the runner came too late for shifts both alike
    assert found == pytest.approx(20.0, abs=1.0), (same, worse)
    await put_policy(one.story, one.world, slippage_bps=20)
    assert await one.blocks() == {"APPROVAL_MISSING"}


def slippage_gap(report: divergencepb.DivergenceReport) -> float:
    """Basis points of notional that paper paid above its replay, by the pairs of orders."""
    return report.figures.live_slippage_bps - report.figures.replay_slippage_bps


def played(paper: SessionResult) -> datetime:
    """The last close of a session that was played."""
    (bars,) = paper.bars
    return from_ns(int(bars.close_ns[-1]))


class Steps(Strategy):
    """Long while the last few seconds rise."""

    name = "steps"
    fast, slow = 2, 4

    def setup(self) -> None:
        price = StreamInput("BTC/USDT", interval="1s")
        rising = signals.trend(ta.ema(price, self.fast), ta.ema(price, self.slow))
        self.trade(signals.position_target(rising, long=0.3, short=0.0), price)


class Paces(Steps):
    name = "paces"
    fast, slow = 3, 4


class Strides(Steps):
    name = "strides"
    fast, slow = 3, 5


class Walks(Steps):
    name = "walks"
    fast, slow = 2, 5


class Runs(Steps):
    name = "runs"
    fast, slow = 2, 6


@asynccontextmanager
async def trading(one: Candidate) -> AsyncIterator[tuple[asyncio.Task[SessionResult], Heard]]:
    """The strategy's runner on its account at the exchange, until the block ends; what trades there stays."""
    heard = Heard()
    run = asyncio.create_task(
        Runner.run_async(
            one.make(), world=one.world, gateway=one.story.live.gateway, on_event=heard, allow_live=True,
            terms=SessionTerms(account=one.account.name),
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
        step = campaignservicepb.AdvanceCanaryRequest(
            world_id=one.world, strategy_id=one.strategy_id, run_id=f"step-{one.strategy_id}"
        )
        await one.story.ask(lambda: one.story.client.campaigns.AdvanceCanary(step, metadata=MEANT))
        await one.story.killed("worldservice", "brokerage", "gateway")
        await one.reaches(campaignpb.CAMPAIGN_PHASE_LIVE_FULL)
        await heard.next(run, is_fill)


async def traded(one: Candidate) -> None:
    """It fills at the exchange in its canary, and is left with what it holds."""
    async with trading(one) as (run, heard):
        await heard.next(run, is_fill)


async def rebalanced(account: VenueAccount, least: Candidate) -> None:
    """Half the shares: planned, applied and executed while no runner is there, and held is half as much by each."""
    while True:
        await traded(least)
        await eventually(account.is_settled, WAIT_S)
        if await least.held() >= LOT:
            break
    story = account.story
    before = {(one.world, one.strategy_id): await one.held() for one in account.candidates}
    await shared(account, 1, "0.1")
    request = rebalancepb.RebalanceRequest(
        account=account.name,
        revisions=rebalancepb.ShareRevisions(before_revision=1, after_revision=2),
        slippage_max_bps="1000",  # the exchange quotes 99 to 101, its bars are of 100 to 103
    )
    planning = allocationservicepb.PlanRebalanceRequest(rebalance=request)
    plan = (await story.ask(lambda: story.client.allocations.PlanRebalance(planning))).plan
    rounded = {(leg.world_id, leg.strategy_id): Decimal(leg.rounded) for leg in plan.legs}
    for leg in plan.legs:
        held = before[leg.world_id, leg.strategy_id]
        assert (leg.scale, leg.reduce_only, Decimal(leg.quantity)) == ("0.5", True, held), plan
    assert (least.world, least.strategy_id) in rounded, plan
    run = await executed(account, request, plan.plan_hash)
    assert run.state == rebalancepb.REBALANCE_STATE_COMPLETED, run
    await eventually(account.is_settled, WAIT_S)
    for one in account.candidates:
        name = (one.world, one.strategy_id)
        assert await one.held() == before[name] + rounded.get(name, 0), (name, plan)


async def executed(
    account: VenueAccount, request: rebalancepb.RebalanceRequest, plan_hash: str
) -> rebalancepb.RebalanceRun:
    """What becomes of a plan, through the death of a process."""
    story = account.story
    applying = allocationservicepb.ApplyRebalanceRequest(
        rebalance=request, run_id="halved", plan_hash=plan_hash, reason="less of it"
    )
    await story.ask(lambda: story.client.allocations.ApplyRebalance(applying))
    executing = rebalancingservicepb.ExecuteRebalanceRequest(account=account.name, run_id="halved")
    gateway = rebalancingrpc.RebalancingServiceStub(story.channel)
    await story.ask(lambda: gateway.ExecuteRebalance(executing, metadata=MEANT))
    await story.killed("gateway", "worldservice")
    watching = allocationservicepb.GetRebalanceRequest(account=account.name, run_id="halved")
    found: list[rebalancepb.RebalanceRun] = []

    async def closed() -> bool:
        await asyncio.sleep(0.2)
        found[:] = [(await story.ask(lambda: story.client.allocations.GetRebalance(watching))).run]
        return found[0].state not in GOING

    await eventually(closed, WAIT_S)
    return found[0]


async def shared(account: VenueAccount, expected: int, share: str) -> None:
    """To each strategy the same share of the account, and to its world those of its own."""
    of_world = Counter(one.world for one in account.candidates)
    asked = allocationservicepb.UpsertAllocationsRequest(
        account=account.name,
        run_id=f"shares-{expected}",
        expected_revision=expected,
        worlds=[
            allocationpb.WorldShare(world_id=world, share=str(Decimal(share) * count))
            for world, count in of_world.items()
        ],
        strategies=[
            allocationpb.StrategyShare(world_id=one.world, strategy_id=one.strategy_id, share=share)
            for one in account.candidates
        ],
        reason="a story",
    )
    await account.story.ask(lambda: account.story.client.allocations.UpsertAllocations(asked))


async def led_out(one: Candidate) -> None:
    """A limit of the policy is breached by what the hub is told, and the strategy drains until it is flat."""
    async with trading(one) as (run, heard):
        await heard.next(run, is_fill)
        await put_policy(one.story, one.world, 20, RISK)
        hub = riskrpc.RiskServiceStub(one.story.channel)
        numbers = itertools.count()

        async def drains() -> bool:
            now = datetime.now(UTC)
            yesterday = now.date() - timedelta(days=1)
            days, calm = series([0.001] * 80 + [-0.3], yesterday), series([0.001, -0.001] * 40 + [0.001], yesterday)
            returns = {each.strategy_id: calm for each in one.account.candidates} | {one.strategy_id: days}
            weights = dict.fromkeys(returns, 1 / len(returns))
            told = message_of(snapshot_of(weights, returns, f"world:{one.world}", f"story-{next(numbers)}"))
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


async def verified(one: Candidate, *more: str) -> None:
    """Its dossier has what happened, and everything in it comes to the same again."""
    at = datetime.now(UTC)
    whole = await one.dossier(at, verify=True)
    assert list(whole[-1].differences) == []
    assert whole[-1].verified_count >= 2
    texts = [line.text for part in whole for line in part.lines]
    for fact in (f"promotion {one.promotion} of {one.strategy_id} APPROVED", *more):
        assert any(fact in text for text in texts), (fact, texts)
    again = await one.dossier(at, verify=False)
    assert again[-1].dossier_hash == whole[-1].dossier_hash


async def test_six_strategies_go_live_by_their_campaigns_and_come_back(story: Story) -> None:
    shared_by_two = VenueAccount(story, "acc", "main", ("promoted", "beside"))
    alone = VenueAccount(story, "acc-2", "other", ("limited",))
    first, second, *_ = everybody = [
        Candidate(story, "promoted", Flips, shared_by_two),
        Candidate(story, "limited", Steps, alone),
        Candidate(story, "promoted", Paces, shared_by_two),
        Candidate(story, "promoted", Strides, shared_by_two),
        Candidate(story, "beside", Walks, shared_by_two),
        Candidate(story, "limited", Runs, alone),
    ]
    story.candidates = everybody
    others = everybody[2:]
    days = await sealed_days(story)
    for world in ("promoted", "beside", "limited"):
        await make_world(story, world, slippage_bps=20)
    for one in everybody:
        await one.enter()
        assert {"MISSING_PAPER_RUN", "NOT_PAPER_STAGE", "APPROVAL_MISSING"} <= await one.blocks()
        await one.backtest(*days)
    await story.killed("worldservice", "brokerage", "seamless")
    paper, *_ = await asyncio.gather(*(one.trade_on_paper(seconds=25) for one in everybody))
    await compared(first, paper)
    for one in everybody:
        await promoted(one)
    for account in (shared_by_two, alone):
        await account.open()
        await shared(account, 0, "0.2")
    await asyncio.gather(advanced(first), led_out(second), *(traded(one) for one in others))
    await rebalanced(shared_by_two, first)
    await demoted(first)
    name = first.strategy_id
    await verified(
        first,
        f"promotion {first.promotion} of {name} APPROVED",
        f"canary of {name} from step 0 on",
        "LIVE_FULL to DEMOTED",
    )
    await verified(second, f"promotion {second.promotion} of {second.strategy_id} APPROVED", "drawdown > 0.15")
    for one in others:
        assert (await one.told()).phase == campaignpb.CAMPAIGN_PHASE_LIVE_CANARY
        await verified(one, f"promotion {one.promotion} of {one.strategy_id} APPROVED")
