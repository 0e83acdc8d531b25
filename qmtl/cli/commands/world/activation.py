"""`qmtl world activate|deactivate`: what strategies may do now, and how an activation reads."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, AllowLive, Reason, StrategyId, WorldId, with_access
from qmtl.cli.show.messages import as_dict, enum_word, show_json
from qmtl.cli.show.tables import show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc


class SideName(Enum):
    """Sides as people write them."""

    LONG = "long"
    SHORT = "short"


class OrdersName(Enum):
    """Which orders of an active strategy pass."""

    ALL = "all"
    REDUCING = "reducing"
    NONE = "none"


class StageName(Enum):
    """Stages an operator may set; live takes an approval and an apply."""

    BACKTEST = "backtest"
    PAPER = "paper"


Sides = Annotated[list[SideName] | None, typer.Option("--side", help="Side to change. Repeatable. Default: both.")]


@with_access
def activate(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    side: Sides = None,
    stage: Annotated[StageName | None, typer.Option(help="How far it may go. Absent: keep.")] = None,
    weight: Annotated[float | None, typer.Option(help="Share of the sized quantity, 0..1. Absent: keep.")] = None,
    orders: Annotated[
        OrdersName | None, typer.Option(help="all; reducing: only those that reduce; none: frozen. Absent: keep.")
    ] = None,
    reason: Reason = "",
    allow_live: AllowLive = False,
) -> None:
    """Let a strategy trade in a world, at most on paper; both sides unless --side is given."""
    strategy_id = whole_strategy_id(access, strategy_id)

    changes = [
        activationpb.ActivationChange(
            strategy_id=strategy_id,
            side=f"SIDE_{one.name}",
            active=True,
            weight=None if weight is None else f"{weight:g}",
            freeze=None if orders is None else orders is OrdersName.NONE,
            drain=None if orders is None else orders is OrdersName.REDUCING,
            stage=f"STAGE_{stage.name}" if stage else None,
        )
        for one in side or list(SideName)
    ]
    activation = _set_activation(access, world_id, changes, reason or "qmtl world activate", allow_live=allow_live)
    if not access.json and activation.effective_mode == commonpb.EFFECTIVE_MODE_COMPUTE_ONLY:
        typer.echo("nothing trades yet: see qmtl world decide, and --stage paper")
    drains = any(entry.drain and entry.strategy_id == strategy_id for entry in activation.entries)
    if not access.json and orders is OrdersName.ALL and drains:
        typer.echo("it drains on: the policy does not let it take new risk, see qmtl world explain")


@with_access
def deactivate(
    access: Access, world_id: WorldId, strategy_id: StrategyId, side: Sides = None, reason: Reason = ""
) -> None:
    """Stop a strategy from trading in a world; its open orders can still be canceled."""
    strategy_id = whole_strategy_id(access, strategy_id)

    changes = [
        activationpb.ActivationChange(strategy_id=strategy_id, side=f"SIDE_{one.name}", active=False)
        for one in side or list(SideName)
    ]
    _set_activation(access, world_id, changes, reason or "qmtl world deactivate")


def _set_activation(
    access: Access,
    world_id: str,
    changes: list[activationpb.ActivationChange],
    reason: str,
    *,
    allow_live: bool = False,
) -> activationpb.ActivationEnvelope:
    """Change what is there now; somebody else's change in between is a Conflict, not overwritten."""

    async def call(channel: MeshChannel) -> activationpb.ActivationEnvelope:
        stub = activationrpc.ActivationServiceStub(channel)
        current = (await stub.GetActivation(activationservicepb.GetActivationRequest(world_id=world_id))).activation
        request = activationservicepb.SetActivationRequest(
            world_id=world_id, etag=current.etag, changes=changes, message=reason
        )
        return (await stub.SetActivation(request, metadata=live_metadata(is_meant=allow_live))).activation

    activation = ask(access, call)
    if access.json:
        show_json(as_dict(activation))
    else:
        show_activation(activation)
    return activation


def show_activation(activation: activationpb.ActivationEnvelope) -> None:
    rows = [
        (
            entry.strategy_id,
            enum_word(commonpb.Side, entry.side),
            "yes" if entry.active else "no",
            entry.weight,
            ", ".join(word for word, on in (("freeze", entry.freeze), ("drain", entry.drain)) if on) or "-",
            enum_word(commonpb.EffectiveMode, entry.effective_mode),
        )
        for entry in activation.entries
    ]
    mode = enum_word(commonpb.EffectiveMode, activation.effective_mode)
    pending = ", fence pending" if activation.fence_pending else ""
    title = f"activation revision {activation.world_revision}, {mode}, epoch {activation.fence_epoch}{pending}"
    show_table(title, ("strategy", "side", "active", "weight", "flags", "mode"), rows)
    for window in activation.windows:
        typer.echo(f"new risk only on {window_text(window)}")
    for field, value in activation.limits.ListFields():
        typer.echo(f"{field.name.removesuffix('_max').replace('_', ' ')} at most {value}")


def window_text(window: activationpb.ActivationWindow) -> str:
    """A weekly window in words: "mon, tue 09:30-16:00 America/New_York"."""
    days = ", ".join(activationpb.Weekday.Name(day).removeprefix("WEEKDAY_").lower()[:3] for day in window.days)
    opens, closes = (f"{s // 3600:02}:{s % 3600 // 60:02}" for s in (window.opens.seconds, window.closes.seconds))
    return f"{days} {opens}-{closes} {window.time_zone}"
