"""`qmtl campaign status|tick|plan`: how far each strategy is, what is due, and what a promotion would do now."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, StrategyId, WorldId, with_access
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc

BAR_CELLS = 20
ROWS_MAX = 1000


@with_access
def status(
    access: Access,
    world_id: WorldId,
    strategy_id: Annotated[str, typer.Argument(help="One strategy, with everything that bars it.")] = "",
) -> None:
    """Show how far the strategies of a world have come to live, or one with all that bars it."""
    if strategy_id:
        _show_one(access, world_id, whole_strategy_id(access, strategy_id))
        return

    async def call(channel: MeshChannel) -> list[campaignpb.Campaign]:
        page = commonpb.PageRequest(page_size=ROWS_MAX)
        request = campaignservicepb.ListCampaignsRequest(world_id=world_id, page=page)
        return list((await campaignrpc.CampaignServiceStub(channel).ListCampaigns(request)).campaigns)

    found = ask(access, call)
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    rows = [(one.strategy_id, _phase(one), _progress(one), str(len(one.blocks)), _next(one)) for one in found]
    show_table(f"campaigns of {world_id}", ("strategy", "phase", "windows", "blocks", "next"), rows)


@with_access
def tick(access: Access, world_id: WorldId) -> None:
    """Show the acts that are due in a world now; nothing is done."""

    async def call(channel: MeshChannel) -> list[campaignpb.CampaignAction]:
        stub = campaignrpc.CampaignServiceStub(channel)
        return list((await stub.Tick(campaignservicepb.TickRequest(world_id=world_id))).actions)

    found = ask(access, call)
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    rows = [
        (enum_word(campaignpb.CampaignActionKind, one.kind), one.strategy_id, one.run_id, one.message) for one in found
    ]
    show_table(f"due in {world_id}", ("act", "strategy", "run", "why"), rows)


@with_access
def plan(access: Access, world_id: WorldId, strategy_id: StrategyId) -> None:
    """Show what applying a promotion would do now; exit code 1 when something bars it."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> campaignpb.PromotionPlan:
        request = campaignservicepb.PlanPromotionRequest(world_id=world_id, strategy_id=strategy_id)
        return (await campaignrpc.CampaignServiceStub(channel).PlanPromotion(request)).plan

    found = ask(access, call)
    if access.json:
        show_json(as_dict(found))
    else:
        rows = [
            (one.strategy_id, enum_word(commonpb.Side, one.side), one.weight, enum_word(bindingpb.Stage, one.stage))
            for one in found.targets
        ]
        what = "renewal keeps targets" if found.renews else "targets"
        show_table(f"{what} at canary share {found.canary_share}", ("strategy", "side", "weight", "stage"), rows)
        for change in found.risk:
            typer.echo(f"  {change.figure} of the live book: {change.before:.3%} before, {change.after:.3%} with it")
        _say_blocks(found)
    if found.blocks:
        raise typer.Exit(1)


def _show_one(access: Access, world_id: str, strategy_id: str) -> None:
    async def call(channel: MeshChannel) -> campaignpb.Campaign:
        request = campaignservicepb.GetCampaignRequest(world_id=world_id, strategy_id=strategy_id)
        return (await campaignrpc.CampaignServiceStub(channel).GetCampaign(request)).campaign

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    pairs = [("phase", f"{_phase(found)} since {when(found.since)}"), ("version", found.strategy_version or "not told")]
    pairs += [
        (enum_word(bindingpb.Stage, one.stage).lower(), f"{_bar(one.progress_ratio)} {one.progress_ratio:.0%}")
        for one in found.windows
    ]
    if found.promotion.run_id:
        state = enum_word(campaignpb.PromotionState, found.promotion.state)
        pairs.append(("promotion", f"{found.promotion.run_id}: {state}"))
    if found.HasField("approval"):
        pairs.append(("approval", approval_line(found)))
    if found.paused_by:
        pairs.append(("paused", f"by {found.paused_by}: {found.paused_reason}"))
    if found.next_action.message:
        pairs.append(("next", found.next_action.message))
    show_pairs(f"campaign of {strategy_id} in {world_id}", pairs)
    _say_blocks(found)
    for block in found.renewal_blocks:
        typer.echo(f"  not renewed: {block.reason}: {block.message}")


def approval_line(one: campaignpb.Campaign) -> str:
    """The approval it goes live by; of one that ends soon what is left, and the command that leads to another."""
    approval = one.approval
    if approval.HasField("revoked_at"):
        return f"by {approval.approved_by}, taken back at {when(approval.revoked_at)}"
    if not approval.HasField("expires_at"):
        return f"by {approval.approved_by}, until it is taken back"
    if not one.HasField("approval_left"):
        return f"by {approval.approved_by}, until {when(approval.expires_at)}"
    left = one.approval_left.ToTimedelta()
    span = f"{left.days} days" if left.days > 1 else f"{left // timedelta(hours=1)} hours"
    asked = one.promotion.renews and one.promotion.state == campaignpb.PROMOTION_STATE_REQUESTED
    act, options = ("approve", "--as owner --allow-live") if asked else ("request", '--reason "..."')
    command = f"qmtl campaign {act} {one.world_id} {one.strategy_id} {options}"
    return f"ends in {span}, at {when(approval.expires_at)}: {command}"


def _say_blocks(told: campaignpb.Campaign | campaignpb.PromotionPlan) -> None:
    """One a line."""
    for block in told.blocks:
        typer.echo(f"  {block.reason}: {block.message}")
    for note in told.notes:
        typer.echo(f"  note: {note}")


def _next(one: campaignpb.Campaign) -> str:
    """What ends by itself goes first."""
    return approval_line(one) if one.HasField("approval_left") else one.next_action.message or "-"


def _phase(one: campaignpb.Campaign) -> str:
    word = enum_word(campaignpb.CampaignPhase, one.phase)
    return f"{word} step {one.canary_step}" if one.phase == campaignpb.CAMPAIGN_PHASE_LIVE_CANARY else word


def _progress(one: campaignpb.Campaign) -> str:
    told = [f"{enum_word(bindingpb.Stage, each.stage).lower()} {each.progress_ratio:.0%}" for each in one.windows]
    return ", ".join(told) or "-"


def _bar(ratio: float) -> str:
    full = int(ratio * BAR_CELLS)
    return "#" * full + "." * (BAR_CELLS - full)
