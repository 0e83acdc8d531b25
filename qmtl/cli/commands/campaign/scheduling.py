"""`qmtl campaign advance|loop`: the next canary step, and the acts of ticks carried out as they fall due."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qmtl.cli.commands.campaign.loop_lease import RENEW_S, LoopLease
from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.local.tokens import CAMPAIGN_LOOP
from qmtl.cli.options import Access, AllowLive, RoleName, StrategyId, WorldId, with_access
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.messages import enum_word
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Conflict, DeadlineExceeded, Exhausted, QmtlError, Unavailable
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc

if TYPE_CHECKING:
    from qmtl.world.v1.activation_service_pb2_grpc import ActivationServiceAsyncStub
    from qmtl.world.v1.campaign_service_pb2_grpc import CampaignServiceAsyncStub

REASON = "qmtl campaign loop"
MAY_PASS = (Conflict, DeadlineExceeded, Exhausted, Unavailable)  # a loop goes on after them


@with_access
def advance(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    run_id: Annotated[str, typer.Option("--run", help="Idempotency key.")] = "",
    allow_live: AllowLive = False,
) -> None:
    """Apply the next canary step; refused with all that bars it."""
    request = campaignservicepb.AdvanceCanaryRequest(
        world_id=world_id,
        strategy_id=whole_strategy_id(access, strategy_id),
        run_id=run_id or f"cli-{uuid.uuid4().hex[:12]}",
    )

    async def call(channel: MeshChannel) -> campaignservicepb.AdvanceCanaryResponse:
        stub = campaignrpc.CampaignServiceStub(channel)
        return await stub.AdvanceCanary(request, metadata=live_metadata(is_meant=allow_live))

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    typer.echo(f"canary of {request.strategy_id} leaves step {found.campaign.canary_step} by {found.apply_run_id}")


@with_access
def loop(
    access: Access,
    world_id: WorldId,
    every: Annotated[float, typer.Option(min=1.0, help="Seconds between two ticks.")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="One tick, then end: for a scheduler of your own.")] = False,
    allow_live: AllowLive = False,
) -> None:
    """Carry out what ticks tell and the policy leaves to a scheduler; the rest is told.

    Any number may run: one of them has the world's lease and acts, the others wait for it. Without --allow-live nothing
    is applied. With the home's own tokens it acts as campaign-loop.
    """

    async def call(channel: MeshChannel) -> None:
        stub = campaignrpc.CampaignServiceStub(channel)
        stubs = LoopStubs(stub, activationrpc.ActivationServiceStub(channel))
        await keep_ticking(stubs, LoopLease(stub, world_id), every, once=once, allow_live=allow_live)

    ask(access, call, CAMPAIGN_LOOP if access.role is RoleName.OPERATOR else "")


@dataclass(frozen=True, slots=True)
class LoopStubs:
    """What a loop asks and acts by."""

    campaigns: CampaignServiceAsyncStub
    activations: ActivationServiceAsyncStub


async def keep_ticking(stubs: LoopStubs, lease: LoopLease, every: float, *, once: bool, allow_live: bool) -> None:
    """Ticks while the lease is held, for ever or once; the lease is given up at the end."""
    said, due = set[str](), 0.0
    try:
        while True:
            try:
                if not await lease.keep():
                    if lease.news:
                        typer.echo(f"wait  the loop of {lease.world_id} is {lease.holder}'s")
                elif time.monotonic() >= due:
                    await tick_once(stubs, lease, said, allow_live=allow_live)
                    due = time.monotonic() + every
            except MAY_PASS as error:
                if once:
                    raise
                typer.echo(f"wait  {error.reason}: {error.message}", err=True)
                due = max(due, time.monotonic() + RENEW_S)
            if once:
                return
            wait = due - time.monotonic() if lease.held else every
            await asyncio.sleep(min(max(wait, 0.0), RENEW_S))
    finally:
        await lease.release()


async def tick_once(stubs: LoopStubs, lease: LoopLease, said: set[str], *, allow_live: bool) -> None:
    """One tick with its acts; `said` are keys of acts that were told already. A refusal is told, and no end.

    Whose lease ends meanwhile leaves the rest to the next holder.
    """
    for action in (await stubs.campaigns.Tick(campaignservicepb.TickRequest(world_id=lease.world_id))).actions:
        kind = enum_word(campaignpb.CampaignActionKind, action.kind)
        if not action.automatic:
            if action.idempotency_key not in said:
                typer.echo(f"due   {kind} {action.strategy_id}: {action.message}")
            said.add(action.idempotency_key)
            continue
        if not await lease.keep():
            return
        try:
            await carry_out(stubs, action, allow_live=allow_live)
        except QmtlError as error:
            typer.echo(f"not   {kind} {action.strategy_id}: {error.reason}: {error.message}", err=True)
        else:
            typer.echo(f"done  {kind} {action.strategy_id} {action.run_id}: {action.message}")


async def carry_out(stubs: LoopStubs, action: campaignpb.CampaignAction, *, allow_live: bool) -> None:
    """One act of a tick, at most once: its run is its idempotency key. Raises what the mesh says."""
    named: dict[str, Any] = {"world_id": action.world_id, "strategy_id": action.strategy_id, "run_id": action.run_id}
    live, stub = live_metadata(is_meant=allow_live), stubs.campaigns
    match action.kind:
        case campaignpb.CAMPAIGN_ACTION_KIND_RAISE_TO_PAPER:
            await _raise_to_paper(stubs, action, live)
        case campaignpb.CAMPAIGN_ACTION_KIND_REQUEST_PROMOTION:
            await stub.RequestPromotion(campaignservicepb.RequestPromotionRequest(**named, reason=REASON))
        case campaignpb.CAMPAIGN_ACTION_KIND_APPLY_PROMOTION:
            await stub.ApplyPromotion(campaignservicepb.ApplyPromotionRequest(**named), metadata=live)
        case campaignpb.CAMPAIGN_ACTION_KIND_ADVANCE_CANARY:
            await stub.AdvanceCanary(campaignservicepb.AdvanceCanaryRequest(**named), metadata=live)


async def _raise_to_paper(
    stubs: LoopStubs, action: campaignpb.CampaignAction, live: tuple[tuple[str, str], ...]
) -> None:
    """Both sides at their whole weight. Raises Conflict (E_ETAG_MISMATCH) where the activation changed meanwhile, or
    the act is due no more: others of its tick may have taken minutes.
    """
    asked = activationservicepb.GetActivationRequest(world_id=action.world_id)
    etag = (await stubs.activations.GetActivation(asked)).activation.etag
    named = campaignservicepb.GetCampaignRequest(world_id=action.world_id, strategy_id=action.strategy_id)
    due = (await stubs.campaigns.GetCampaign(named)).campaign.next_action
    if due.idempotency_key != action.idempotency_key:
        raise Conflict("E_ETAG_MISMATCH", f"{action.strategy_id} is to be raised to paper no more", hint="tick again")
    changes = [
        activationpb.ActivationChange(
            strategy_id=action.strategy_id, side=side, active=True, weight="1", stage=bindingpb.STAGE_PAPER
        )
        for side in (commonpb.SIDE_LONG, commonpb.SIDE_SHORT)
    ]
    request = activationservicepb.SetActivationRequest(
        world_id=action.world_id, changes=changes, message=f"{REASON}: {action.message}", etag=etag
    )
    await stubs.activations.SetActivation(request, metadata=live)
