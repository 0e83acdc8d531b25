"""The last chapters: shares of an account, what bars a strategy from real money, and trading against its replay."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from rich.console import Console

from examples.demo.narration import chapter
from qmtl.cli.show.drawing.divergence_picture import draw_divergence
from qmtl.core.instants import from_ns
from qmtl.sdk import Strategy
from qmtl.sdk.mesh.client import Client, Gateway
from qmtl.sdk.mesh.divergence import TradedRun, create_report
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb

CAMPAIGN = """\
campaign:
  backtest: {window: 60d, min_trades: 100, deflated_sharpe: 0.95}
  paper: {window: 30d, min_trades: 30}
  live: {canary: [{share: 0.1, days: 5}, {share: 0.5, days: 10}]}
  divergence: {min_pairs: 4, slippage_max_bps: 10}
position_policy: {on_demote: drain}
"""


async def tell_shares(console: Console, client: Client, world_id: str, account: str, ids: tuple[str, str]) -> None:
    """Set shares of the paper account for two strategies, then others, and look at what that change would trade."""
    chapter(console, "12. Shares of capital: set by a person, planned before anything trades")
    told = (("0.4", "0.2", "the first one has traded"), ("0.2", "0.4", "less of what traded most"))
    for revision, (*shares, why) in enumerate(told):
        await client.allocations.UpsertAllocations(
            allocationservicepb.UpsertAllocationsRequest(
                account=account,
                run_id=f"demo-shares-{revision}",
                expected_revision=revision,
                worlds=[allocationpb.WorldShare(world_id=world_id, share="0.6")],
                strategies=[
                    allocationpb.StrategyShare(world_id=world_id, strategy_id=name, share=share)
                    for name, share in zip(ids, shares, strict=True)
                ],
                reason=why,
            )
        )
        console.print(f"shares revision {revision + 1}: {' and '.join(shares)} of the account ({why})")
    asked = rebalancepb.RebalanceRequest(
        account=account, revisions=rebalancepb.ShareRevisions(before_revision=1, after_revision=2)
    )
    plan = (await client.allocations.PlanRebalance(allocationservicepb.PlanRebalanceRequest(rebalance=asked))).plan
    got = await client.allocations.GetAllocations(allocationservicepb.GetAllocationsRequest(account=account))
    for one in got.capital:
        if one.strategy_id:
            console.print(f"  {one.strategy_id} may use {one.capital} of {got.equity}", soft_wrap=True)
    for leg in plan.legs:
        said = f"holds {leg.quantity} {leg.symbol}, times {leg.scale}: trades {leg.rounded}, {leg.notional} at the mark"
        console.print(f"  {leg.strategy_id} {said}{'; only reduces' if leg.reduce_only else ''}", soft_wrap=True)
    for warning in plan.warnings:
        console.print(f"  [yellow]warning[/yellow] {warning}", soft_wrap=True)
    gross = f"gross {plan.before.gross} -> {plan.after.gross}"
    held = "" if plan.legs else ": the account is flat, so the change of shares trades nothing now"
    count = f"{len(plan.orders)} order{'s' * (len(plan.orders) != 1)}"
    console.print(f"The plan has {count}, {gross}{held}. A plan sends nothing.")


async def tell_promotion(console: Console, client: Client, world_id: str, policy: str, candidate: SubmitResult) -> None:
    """Ask what bars the strategy that traded on paper from going live: all of it, each with its number."""
    chapter(console, "13. May it go live? Everything that bars it, told together")
    console.print("The policy gains what a promotion has to show:")
    console.print(CAMPAIGN, style="dim", markup=False)
    put = policyservicepb.PutPolicyRequest(world_id=world_id, document=policy + CAMPAIGN, make_default=True)
    await client.policies.PutPolicy(put)
    asked = campaignservicepb.PlanPromotionRequest(world_id=world_id, strategy_id=candidate.strategy_id)
    plan = (await client.campaigns.PlanPromotion(asked)).plan
    console.print(
        f"{candidate.name}: {len(plan.blocks)} blocks; with none it would enter at {plan.canary_share} of its weight"
    )
    for block in plan.blocks:
        console.print(f"  [red]{block.reason:<28}[/red] {block.message}", soft_wrap=True)
    for note in plan.notes:
        console.print(f"  [yellow]not known[/yellow]: {note}", soft_wrap=True)
    console.print("Each holds for every way to live, not for promotions only.")


async def tell_divergence(
    console: Console, gateway: Gateway, world_id: str, strategy: Strategy, paper: SessionResult, out: Path
) -> None:
    """Replay the strategy over the recording of what its paper session was told, and explain the gap by its terms."""
    chapter(console, "14. Did its execution keep what its backtest promises? The paper session against its replay")
    (bars,) = paper.bars
    run = TradedRun(world_id, paper.strategy_id, paper.session.session_id, until=from_ns(int(bars.close_ns[-1])))
    report = await create_report(gateway, strategy, run)
    figures, terms = report.figures, report.terms
    verdict = divergencepb.DivergenceVerdict.Name(report.verdict).removeprefix("DIVERGENCE_VERDICT_")
    console.print(
        f"[bold]{verdict}[/bold]: {figures.pair_count} orders in pairs, {figures.only_live_count} only on paper, "
        f"{figures.only_replay_count} only in the replay"
    )
    for reason in report.reasons:
        console.print(f"  {reason}", soft_wrap=True, markup=False)
    gap = Decimal(terms.live_pnl) - Decimal(terms.replay_pnl)
    parts = ("unmatched", "fill", "arrival", "execution", "fees", "funding", "mark")
    named = ", ".join(f"{name} {getattr(terms, name)}" for name in parts)
    console.print(f"Paper made {terms.live_pnl}, its replay {terms.replay_pnl}: {gap:f} apart, which is")
    console.print(f"  {named}", soft_wrap=True)
    console.print(
        f"Slippage {figures.live_slippage_bps:.2f} bp on paper, {figures.replay_slippage_bps:.2f} bp by the model."
    )
    draw_divergence(report, out / "divergence.png")
    console.print(f"  {out / 'divergence.png'}")
