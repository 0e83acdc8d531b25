"""`qmtl campaign request|withdraw|approve|reject|promote|pause|resume`: a promotion from its request to its apply."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, AllowLive, StrategyId, WorldId, with_access
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.messages import enum_word, when
from qmtl.cli.show.tables import show_pairs
from qmtl.core.errors import InvalidRequest
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc

if TYPE_CHECKING:
    from qmtl.world.v1.campaign_service_pb2_grpc import CampaignServiceAsyncStub

Why = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]
Run = Annotated[str, typer.Option("--run", help="The promotion's run. Empty: the newest one's.")]
Named = dict[str, Any]
Act = Callable[["CampaignServiceAsyncStub", Named], Awaitable[campaignpb.Promotion]]


@with_access
def request(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    reason: Why = "qmtl campaign request",
    run_id: Annotated[str, typer.Option("--run", help="Idempotency key.")] = "",
) -> None:
    """Ask for a promotion to live, or to renew the approval of who is; what bars it is told and does not refuse it."""

    async def act(stub: CampaignServiceAsyncStub, named: Named) -> campaignpb.Promotion:
        asked = campaignservicepb.RequestPromotionRequest(**named, reason=reason)
        return (await stub.RequestPromotion(asked)).promotion

    _promotion(access, world_id, strategy_id, run_id or f"cli-{uuid.uuid4().hex[:12]}", act)


@with_access
def withdraw(
    access: Access, world_id: WorldId, strategy_id: StrategyId, run_id: Run = "", reason: Why = "qmtl campaign withdraw"
) -> None:
    """Take a request back."""

    async def act(stub: CampaignServiceAsyncStub, named: Named) -> campaignpb.Promotion:
        asked = campaignservicepb.WithdrawPromotionRequest(**named, reason=reason)
        return (await stub.WithdrawPromotion(asked)).promotion

    _promotion(access, world_id, strategy_id, run_id, act)


@with_access
def reject(
    access: Access, world_id: WorldId, strategy_id: StrategyId, run_id: Run = "", reason: Why = "qmtl campaign reject"
) -> None:
    """Say no to a request; needs --as owner."""

    async def act(stub: CampaignServiceAsyncStub, named: Named) -> campaignpb.Promotion:
        asked = campaignservicepb.RejectPromotionRequest(**named, reason=reason)
        return (await stub.RejectPromotion(asked)).promotion

    _promotion(access, world_id, strategy_id, run_id, act)


@with_access
def approve(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    run_id: Run = "",
    reason: Why = "qmtl campaign approve",
    allow_live: AllowLive = False,
) -> None:
    """Approve a promotion, or renew an approval; needs --as owner and --allow-live."""

    async def act(stub: CampaignServiceAsyncStub, named: Named) -> campaignpb.Promotion:
        asked = campaignservicepb.ApprovePromotionRequest(**named, reason=reason)
        return (await stub.ApprovePromotion(asked, metadata=live_metadata(is_meant=allow_live))).promotion

    _promotion(access, world_id, strategy_id, run_id, act)


@with_access
def promote(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    run_id: Run = "",
    force: Annotated[str, typer.Option(help="Approve and apply in one act, as owner; the reason why.")] = "",
    allow_live: AllowLive = False,
) -> None:
    """Apply a promotion at its first canary step; exit code 1 when something bars it."""

    async def act(stub: CampaignServiceAsyncStub, named: Named) -> campaignpb.Promotion:
        asked = campaignservicepb.ApplyPromotionRequest(**named, force=bool(force), reason=force)
        return (await stub.ApplyPromotion(asked, metadata=live_metadata(is_meant=allow_live))).promotion

    _promotion(access, world_id, strategy_id, run_id, act)


@with_access
def pause(access: Access, world_id: WorldId, strategy_id: StrategyId, reason: Why = "qmtl campaign pause") -> None:
    """Pause a campaign: nothing is asked for or applied until it is resumed."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> campaignpb.Campaign:
        asked = campaignservicepb.PauseCampaignRequest(world_id=world_id, strategy_id=strategy_id, reason=reason)
        return (await campaignrpc.CampaignServiceStub(channel).PauseCampaign(asked)).campaign

    found = ask(access, call)
    typer.echo(f"campaign of {strategy_id} is paused by {found.paused_by}: {found.paused_reason}")


@with_access
def resume(access: Access, world_id: WorldId, strategy_id: StrategyId, reason: Why = "qmtl campaign resume") -> None:
    """Let a paused campaign go on."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> campaignpb.Campaign:
        asked = campaignservicepb.ResumeCampaignRequest(world_id=world_id, strategy_id=strategy_id, reason=reason)
        return (await campaignrpc.CampaignServiceStub(channel).ResumeCampaign(asked)).campaign

    ask(access, call)
    typer.echo(f"campaign of {strategy_id} goes on")


def _promotion(access: Access, world_id: str, strategy: str, run_id: str, act: Act) -> None:
    strategy_id = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> campaignpb.Promotion:
        stub = campaignrpc.CampaignServiceStub(channel)
        named = {"world_id": world_id, "strategy_id": strategy_id}
        return await act(stub, named | {"run_id": run_id or await _newest(stub, world_id, strategy_id)})

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    pairs = [
        ("state", enum_word(campaignpb.PromotionState, found.state)),
        ("asked", f"{when(found.requested_at)} by {found.requested_by}: {found.reason}"),
        ("decided", f"by {found.decided_by}: {found.decision_reason}" if found.decided_by else "-"),
        ("apply", found.apply_run_id or "-"),
    ]
    show_pairs(f"promotion {found.run_id} of {found.strategy_id} in {found.world_id}", pairs)
    for block in found.blocks:
        typer.echo(f"  when asked for: {block.reason}: {block.message}")


async def _newest(stub: CampaignServiceAsyncStub, world_id: str, strategy_id: str) -> str:
    asked = campaignservicepb.GetCampaignRequest(world_id=world_id, strategy_id=strategy_id)
    run_id = (await stub.GetCampaign(asked)).campaign.promotion.run_id
    if not run_id:
        raise InvalidRequest("E_FIELD", f"{strategy_id} has no promotion in {world_id}, want --run or a request first")
    return run_id
