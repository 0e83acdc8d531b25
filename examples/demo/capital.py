"""The last chapter: what stands between a strategy on paper and real money."""

from __future__ import annotations

from rich.console import Console

from examples.demo.narration import chapter
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb

CAMPAIGN = """\
campaign:
  backtest: {window: 60d, min_trades: 100, deflated_sharpe: 0.95}
  paper: {window: 30d, min_trades: 30}
  live: {canary: [{share: 0.1, days: 5}, {share: 0.5, days: 10}]}
position_policy: {on_demote: drain}
"""


async def tell_promotion(console: Console, client: Client, world_id: str, policy: str, candidate: SubmitResult) -> None:
    """Ask what bars the strategy that traded on paper from going live: all of it, each with its number."""
    chapter(console, "12. May it go live? Everything that bars it, told together")
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
