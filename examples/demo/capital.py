"""The last chapters: who may use which share of an account, and what stands between a strategy and real money."""

from __future__ import annotations

from rich.console import Console

from examples.demo.narration import chapter
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb

CAMPAIGN = """\
campaign:
  backtest: {window: 60d, min_trades: 100, deflated_sharpe: 0.95}
  paper: {window: 30d, min_trades: 30}
  live: {canary: [{share: 0.1, days: 5}, {share: 0.5, days: 10}]}
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
    console.print(f"The plan has {len(plan.orders)} orders, {gross}{held}. A plan sends nothing.")


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
