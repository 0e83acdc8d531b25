"""`qmtl world approve-live|revoke-live`: an owner lets a strategy go live, and takes it back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, AllowLive, Reason, StrategyId, WorldId, with_access
from qmtl.cli.show.messages import as_dict, show_json, when
from qmtl.cli.show.tables import show_pairs
from qmtl.core.errors import InvalidRequest
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc

_LIFE = re.compile(r"([1-9][0-9]{0,3})([hd])")


@with_access
def approve_live(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    reason: Reason = "",
    life: Annotated[str, typer.Option("--for", help="How long it holds: 12h, 30d. Empty: until revoked.")] = "",
    allow_live: AllowLive = False,
) -> None:
    """Record that a strategy may go live; needs --as owner and --allow-live."""
    strategy_id = whole_strategy_id(access, strategy_id)

    found = _LIFE.fullmatch(life)
    if life and not found:
        raise InvalidRequest("E_LIFE", f"--for is {life!r}, want for example 12h or 30d")
    request = bindingservicepb.ApproveLiveRequest(
        world_id=world_id, strategy_id=strategy_id, message=reason or "qmtl world approve-live"
    )
    if found:
        hours = int(found[1]) * (24 if found[2] == "d" else 1)
        request.expires_at.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))

    async def call(channel: MeshChannel) -> bindingpb.LiveApproval:
        stub = bindingrpc.BindingServiceStub(channel)
        return (await stub.ApproveLive(request, metadata=live_metadata(is_meant=allow_live))).approval

    _show_approval(ask(access, call), access.json)


@with_access
def revoke_live(access: Access, world_id: WorldId, strategy_id: StrategyId, reason: Reason = "") -> None:
    """Take an approval to go live back; a live strategy is deactivated first."""
    strategy_id = whole_strategy_id(access, strategy_id)

    request = bindingservicepb.RevokeLiveRequest(
        world_id=world_id, strategy_id=strategy_id, message=reason or "qmtl world revoke-live"
    )

    async def call(channel: MeshChannel) -> bindingpb.LiveApproval:
        return (await bindingrpc.BindingServiceStub(channel).RevokeLive(request)).approval

    _show_approval(ask(access, call), access.json)


def _show_approval(approval: bindingpb.LiveApproval, json: bool) -> None:
    if json:
        show_json(as_dict(approval))
        return
    pairs = [
        ("approved", f"{when(approval.approved_at)} by {approval.approved_by}"),
        ("reason", approval.message or "-"),
        ("expires", when(approval.expires_at)),
        ("revoked", when(approval.revoked_at)),
    ]
    show_pairs(f"live approval of {approval.strategy_id} in {approval.world_id}", pairs)
