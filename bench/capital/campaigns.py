"""Campaigns of a real worldservice, and the arithmetic of their evidence, each beside its floor in the same run.

    python -m bench.capital.campaigns [--strategies 40] [--runs 50] [--rounds 15] [--campaigns 200]

Tick and PlanPromotion stand beside Decide, ApplyPromotion beside an Apply of the same targets, both from
call to COMPLETED. A report of 5,000 pairs stands beside one pass of plain decimals over the same fills, the probability
of overfitting beside CSCV in bare numpy. Last, the CPU of one round of the keeper over many live campaigns, which it
makes each second, and of one Tick over as many.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from bench._measuring import best_ms
from qmtl.core.arrays.types import Floats
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.sql.database import Database
from qmtl.stats.overfitting import overfitting_probability
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.nats import NatsServer
from tests.support.world_stubs import WorldStubs
from tests.worldservice.campaigns.test_service import EASY, governed, shown_on_paper
from tests.worldservice.harness import WorldHarness, eventually, running_harness
from tests.worldservice.risk.books import message_of, series, snapshot_of
from tests.worldservice.samples import DOCUMENT
from worldservice.apply.starting import ApplyStarter
from worldservice.campaigns import store
from worldservice.campaigns.canary import Canary
from worldservice.campaigns.demoting import Demotions
from worldservice.campaigns.domain.divergence.attribution import Marks
from worldservice.campaigns.domain.divergence.pairing import TradedOrder
from worldservice.campaigns.domain.divergence.report import Evidence, Side, report_of
from worldservice.campaigns.domain.divergence.verdict import Ground
from worldservice.campaigns.domain.phases import Campaign, Phase
from worldservice.campaigns.keeper import CampaignKeeper
from worldservice.campaigns.live.evidence import LiveEvidence
from worldservice.campaigns.promoting import Promotions
from worldservice.campaigns.standing import Campaigns
from worldservice.config import Settings
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.metrics import WorldMetrics
from worldservice.policy.domain.campaign.terms import CampaignTerms
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.store import bindings

DEMOTE = EASY.replace("  live:", '  demote: [{when: "live_drawdown > 0.5", act: drain}]\n  live:')
START = datetime(2026, 11, 2, tzinfo=UTC)
PAIRS = 5_000


async def in_a_world(strategies: int, runs: int, rounds: int) -> None:
    """Calls on one world whose strategies have `runs` evaluation runs on backtest and on paper each."""
    async with _service() as (harness, _):
        ann, _ = await _many(harness, EASY, strategies, runs)
        decide = evaluationservicepb.DecideRequest(world_id="w1")
        named: dict[str, Any] = {"world_id": "w1", "strategy_id": "s"}
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "decide": lambda: ann.evaluation.Decide(decide),
            "tick": lambda: ann.campaigns.Tick(campaignservicepb.TickRequest(world_id="w1")),
            "plan": lambda: ann.campaigns.PlanPromotion(campaignservicepb.PlanPromotionRequest(**named)),
        }
        ms = {name: await best_ms(call, rounds) for name, call in calls.items()}
        say(f"decide, {strategies} strategies: {ms['decide']:.2f} ms")
        say(f"tick: {ms['tick']:.2f} ms, x {ms['tick'] / ms['decide']:.2f} (aim 2)")
        say(f"plan: {ms['plan']:.2f} ms, x {ms['plan'] / ms['decide']:.2f} (aim 3)")
        promoted, applied = await _applies(ann, named)
        say(f"apply {applied:.1f} ms, promotion {promoted:.1f} ms: x {promoted / applied:.2f} (aim 1.2)")


async def _applies(ann: WorldStubs, named: dict[str, Any]) -> tuple[float, float]:
    """The best of a few, from call to COMPLETED: of a promotion, and of an apply of what it targets."""
    promoted, applied = [], []
    for number in range(5):
        run_id, named = f"p{number}", {**named, "strategy_id": f"s{number}" if number else "s"}  # each goes live once
        asked = campaignservicepb.RequestPromotionRequest(**named, run_id=run_id, reason="a bench")
        await ann.campaigns.RequestPromotion(asked)
        approved = campaignservicepb.ApprovePromotionRequest(**named, run_id=run_id, reason="a bench")
        await ann.campaigns.ApprovePromotion(approved)
        plan = (await ann.campaigns.PlanPromotion(campaignservicepb.PlanPromotionRequest(**named))).plan
        request = campaignservicepb.ApplyPromotionRequest(**named, run_id=run_id)
        begun = time.perf_counter()
        await ann.campaigns.ApplyPromotion(request)
        await _completed(ann, f"promo-{run_id}")
        promoted.append(1e3 * (time.perf_counter() - begun))
        await eventually(partial(_is_applied, ann, named))
        again = applyservicepb.ApplyRequest(world_id="w1", run_id=f"a{number}")
        again.targets.targets.extend(plan.targets)
        begun = time.perf_counter()
        await ann.applies.Apply(again)
        await _completed(ann, again.run_id)
        applied.append(1e3 * (time.perf_counter() - begun))
    return min(promoted), min(applied)


async def _is_applied(ann: WorldStubs, named: dict[str, Any]) -> bool:
    found = await ann.campaigns.GetCampaign(campaignservicepb.GetCampaignRequest(**named))
    return found.campaign.promotion.state == campaignpb.PROMOTION_STATE_APPLIED


async def _completed(ann: WorldStubs, run_id: str) -> None:
    request = applyservicepb.GetApplyRunRequest(world_id="w1", run_id=run_id)

    async def ended() -> bool:
        return (await ann.applies.GetApplyRun(request)).run.HasField("ended_at")

    await eventually(ended)


async def of_the_keeper(campaigns: int, runs: int) -> None:
    """CPU of one round of the keeper, and of one look at everybody, over many live campaigns of one world."""
    async with _service() as (harness, stack):
        ann, names = await _many(harness, DEMOTE, campaigns, runs)
        last = harness.clock.now().date() - timedelta(days=1)
        returns = {name: series([0.001, -0.0005] * 49, last) for name in names}
        message = message_of(snapshot_of(dict.fromkeys(names, 1 / len(names)), returns))
        message.as_of.FromDatetime(harness.clock.now())
        await ann.risk.PutSnapshot(riskservicepb.PutSnapshotRequest(world_id="w1", snapshot=message))
        await harness.fill(lambda conn: _all_live(conn, names, harness.clock.now()))
        settings = Settings(service="worldservice", mesh=harness.mesh)
        await harness.stop()
        db = Database(settings.database_url)
        stack.push_async_callback(db.close)
        decisions = DecisionSettings(settings.replay_presets, timedelta(hours=1))
        looking = Campaigns(decisions)
        starter = ApplyStarter(decisions, (), lambda *_: ())
        keeper = CampaignKeeper(
            db, harness.clock, WorldMetrics(CollectorRegistry()), Promotions(looking, starter),
            Canary(looking, starter), Demotions(decisions, LiveEvidence()),
        )  # fmt: skip
        for what in ("first", "second", "third"):
            begun = time.process_time()
            await keeper.round()
            say(f"{what} round of the keeper over {campaigns}: {1e3 * (time.process_time() - begun):.1f} ms of CPU")


async def _many(harness: WorldHarness, extra: str, count: int, runs: int) -> tuple[WorldStubs, list[str]]:
    """World w1 with strategies on paper, each with runs of its own on backtest and on paper."""
    names = ["s", *(f"s{number}" for number in range(1, count))]
    ann = await governed(harness, extra, lag="60d")
    await shown_on_paper(harness, ann)
    document = DOCUMENT.split("  topk")[0].replace("5m", "60d") + extra
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=document, make_default=True))
    for name in names[1:]:
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
    await harness.fill(lambda conn: _more_runs(conn, names, runs))
    changes = [
        activationpb.ActivationChange(strategy_id=name, side="SIDE_LONG", active=True, stage="STAGE_PAPER")
        for name in names[1:]
    ]
    raised = activationservicepb.SetActivationRequest(world_id="w1", changes=changes, message="a bench")
    await ann.activation.SetActivation(raised)
    return ann, names


def _more_runs(conn: Connection, names: list[str], runs: int) -> None:
    """More runs of each strategy's version on backtest and paper, as if it had been evaluated every day."""
    shown = evaluation_store.find_run(conn, "w1", "s", "run-1"), evaluation_store.find_run(conn, "w1", "s", "paper-1")
    for name, run, number in itertools.product(names, shown, range(runs)):
        assert run is not None
        assert run.evidence.data_start is not None
        start = run.evidence.data_start - timedelta(days=number)
        evidence = replace(run.evidence, run_id=f"{run.evidence.run_id}-{number}", data_start=start)
        evaluation_store.append_run(conn, replace(run, strategy_id=name, evidence=evidence))


def _all_live(conn: Connection, names: list[str], now: datetime) -> None:
    for name in names:
        binding = bindings.get_active_binding(conn, "w1", name)
        bindings.save_binding(conn, replace(binding, stage=Stage.LIVE))
        went = now - timedelta(days=90)
        store.save_campaign(conn, Campaign("w1", name, Phase.LIVE_CANARY, 3, since=went, live_since=went))


class _service:  # used as a function
    """A worldservice with its broker and peers, in this process."""

    async def __aenter__(self) -> tuple[WorldHarness, AsyncExitStack]:
        self._stack = stack = AsyncExitStack()
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (home / "nats").mkdir()
        nats = NatsServer(home / "nats")
        nats.start()
        stack.callback(nats.stop)
        return await stack.enter_async_context(running_harness(home / "home", nats.url)), stack

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def of_a_report(rounds: int) -> None:
    """A report of 5,000 pairs, a third of them filled in part, beside one pass of plain decimals over their fills."""
    live, replay = _orders(Decimal("0.2"), Decimal("0.7")), _orders(Decimal("0.05"), Decimal(1))
    days = {date(2026, 11, 2) + timedelta(days=day): 0.001 * (day % 3) for day in range(20)}
    evidence = Evidence(
        START, START + timedelta(days=60), timedelta(minutes=15), Side(live, days), Side(replay, days),
        {"BTC": Marks(Decimal(100), Decimal(100))}, Ground("sha256:r", 1.0, "v1", "v1"),
    )  # fmt: skip

    def bare() -> Decimal:
        total = Decimal(0)
        for mine, theirs in zip(live, replay, strict=True):
            for one, sign in ((mine, 1), (theirs, -1)):
                side = 1 if one.buys else -1
                total += sign * side * (one.quantity * Decimal(100) - one.notional) - one.fee
        return total

    ours, floor = best_s(lambda: report_of(evidence, CampaignTerms()), rounds), best_s(bare, rounds)
    say(f"report of {PAIRS} pairs: {ours * 1e3:.1f} ms, decimals {floor * 1e3:.1f} ms, x {ours / floor:.1f} (aim 5)")


def _orders(slip: Decimal, filled: Decimal) -> tuple[TradedOrder, ...]:
    made = []
    for number in range(PAIRS):
        buys, quantity = number % 2 == 0, Decimal(1 + number % 7) * (Decimal(1) if number % 3 else filled)
        price = Decimal(100) + (slip if buys else -slip)
        at = START + timedelta(minutes=15 * number)
        made.append(TradedOrder(f"o{number}", "BTC", buys, at, quantity, quantity * price, arrival=Decimal(100)))
    return tuple(made)


def of_overfitting(rounds: int) -> None:
    """CSCV of 100 x 1,000 beside the same in bare numpy: the sums of blocks by one product of matrices."""
    returns = np.random.Generator(np.random.PCG64(7)).normal(0, 0.01, (1_000, 100))
    blocks, length = 16, 1_000 // 16
    chosen = np.array([[b in half for b in range(blocks)] for half in itertools.combinations(range(blocks), 8)], float)

    def bare() -> float:
        parts = returns[1_000 - blocks * length :].reshape(blocks, length, -1)
        sums, squares = parts.sum(axis=1), (parts * parts).sum(axis=1)

        def ratios(mask: Floats) -> Floats:
            mean = mask @ sums / (8 * length)
            return np.asarray(mean / np.sqrt(mask @ squares / (8 * length) - mean * mean))

        inside, outside = ratios(chosen), ratios(1.0 - chosen)
        best = inside.argmax(axis=1)
        rank = (outside < outside[np.arange(len(best)), best][:, None]).sum(axis=1) + 1
        return float((rank / (returns.shape[1] + 1) <= 0.5).mean())

    assert abs(bare() - overfitting_probability(returns, blocks)) < 1e-3
    ours, floor = best_s(lambda: overfitting_probability(returns, blocks), rounds), best_s(bare, rounds)
    say(f"PBO of 100 x 1,000: {ours * 1e3:.0f} ms, bare numpy {floor * 1e3:.0f} ms, x {ours / floor:.2f} (aim 2)")


def best_s(act: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the best round, after one to warm up."""
    act()
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        act()
        taken.append(time.process_time() - begun)
    return min(taken)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", type=int, default=40)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--campaigns", type=int, default=200)
    args = parser.parse_args()
    of_overfitting(3)
    of_a_report(5)
    asyncio.run(in_a_world(args.strategies, args.runs, args.rounds))
    asyncio.run(of_the_keeper(args.campaigns, args.runs))


if __name__ == "__main__":
    main()
