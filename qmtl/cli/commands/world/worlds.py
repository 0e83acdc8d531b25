"""`qmtl world`: create and look at worlds, set policies, ask for decisions, activate strategies."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.options import Access, AllowLive, with_access

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.rpc.client.channel import MeshChannel
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import world_pb2

app = typer.Typer(no_args_is_help=True)
policy = typer.Typer(no_args_is_help=True)
app.add_typer(policy, name="policy", help="Policy documents of a world.")

WorldId = Annotated[str, typer.Argument(help="World id: lower case letters, digits and dashes.")]


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


StrategyId = Annotated[str, typer.Argument(help="Strategy to change.")]
Sides = Annotated[list[SideName] | None, typer.Option("--side", help="Side to change. Repeatable.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]


@app.command()
@with_access
def create(
    access: Access,
    world_id: WorldId,
    name: Annotated[str, typer.Option(help="Display name. Default: the id.")] = "",
    preset: Annotated[list[str] | None, typer.Option(help="Data preset, for example demo.btc.15m. Repeatable.")] = None,
    policy_file: Annotated[Path | None, typer.Option("--policy", help="Policy document, made the default.")] = None,
    allow_live: Annotated[bool, typer.Option("--allow-live", help="Live trading may become possible.")] = False,
) -> None:
    """Create a world; you become its owner. The same command again answers the same world."""
    from qmtl.cli.gateway.calls import ask, live_metadata
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    document = policy_file.read_text(encoding="utf-8") if policy_file else ""

    async def call(channel: MeshChannel) -> world_pb2.World:
        stub = worldrpc.WorldServiceStub(channel)
        request = worldpb.CreateWorldRequest(
            world_id=world_id, name=name or world_id, data_presets=preset or [], allow_live=allow_live
        )
        world = (await stub.CreateWorld(request, metadata=live_metadata(is_meant=allow_live))).world
        if document:
            put = worldpb.PutPolicyRequest(world_id=world_id, document=document, make_default=True)
            await stub.PutPolicy(put)
            world = (await stub.GetWorld(worldpb.GetWorldRequest(world_id=world_id))).world
        return world

    _show_world(ask(access, call), access.json)


@app.command("list")
@with_access
def list_worlds(access: Access) -> None:
    """Worlds you have a role in."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, enum_word, show_json
    from qmtl.cli.show.tables import show_table
    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc
    from qmtl.world.v1 import world_pb2

    async def call(channel: MeshChannel) -> list[world_pb2.World]:
        stub = worldrpc.WorldServiceStub(channel)
        found: list[world_pb2.World] = []
        page_token = ""
        while True:
            page = commonpb.PageRequest(page_token=page_token)
            reply = await stub.ListWorlds(worldpb.ListWorldsRequest(page=page))
            found.extend(reply.worlds)
            page_token = reply.page.next_page_token
            if not page_token:
                return found

    worlds = ask(access, call)
    if access.json:
        show_json([as_dict(world) for world in worlds])
        return
    rows = [
        (
            world.world_id,
            world.name,
            world.owner,
            enum_word(world_pb2.WorldState, world.state),
            str(world.default_policy_version),
            ", ".join(world.data_presets),
        )
        for world in worlds
    ]
    show_table("worlds", ("world", "name", "owner", "state", "policy", "data"), rows)


@app.command()
@with_access
def show(access: Access, world_id: WorldId) -> None:
    """One world, its strategies and its activation."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, enum_word, show_json
    from qmtl.cli.show.tables import show_table
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc
    from qmtl.world.v1 import world_pb2

    async def call(
        channel: MeshChannel,
    ) -> tuple[world_pb2.World, worldpb.ListBindingsResponse, world_pb2.ActivationEnvelope]:
        stub = worldrpc.WorldServiceStub(channel)
        world = (await stub.GetWorld(worldpb.GetWorldRequest(world_id=world_id))).world
        bindings = await stub.ListBindings(worldpb.ListBindingsRequest(world_id=world_id))
        activation = (await stub.GetActivation(worldpb.GetActivationRequest(world_id=world_id))).activation
        return world, bindings, activation

    world, bindings, activation = ask(access, call)
    if access.json:
        bound = [as_dict(binding) for binding in bindings.bindings]
        show_json({"world": as_dict(world), "bindings": bound, "activation": as_dict(activation)})
        return
    _show_world(world, False)
    rows = [
        (b.strategy_id, enum_word(world_pb2.Stage, b.stage), _domains_text(b.opened_domains), b.created_by)
        for b in bindings.bindings
    ]
    show_table("strategies", ("strategy", "stage", "edges open to", "bound by"), rows)
    show_activation(activation)


@app.command()
@with_access
def decide(access: Access, world_id: WorldId) -> None:
    """What the world may do now, and why not more."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
    from qmtl.cli.show.tables import show_pairs
    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> world_pb2.DecisionEnvelope:
        return (await worldrpc.WorldServiceStub(channel).Decide(worldpb.DecideRequest(world_id=world_id))).decision

    decision = ask(access, call)
    if access.json:
        show_json(as_dict(decision))
        return
    pairs = [
        ("effective mode", enum_word(commonpb.EffectiveMode, decision.effective_mode)),
        ("reasons", ", ".join(decision.reasons) or "-"),
        ("policy version", str(decision.policy_version)),
        ("as of", when(decision.as_of)),
        ("data end", when(decision.data_end)),
        ("coverage", f"{decision.coverage:.4f}"),
        ("selected", ", ".join(decision.selected) or "-"),
        ("good for", f"{decision.ttl.ToTimedelta().total_seconds():g} s from {when(decision.decided_at)}"),
        ("backtests assume", _assumed(decision.execution_model)),
        ("stale", "yes" if decision.stale else "no"),
    ]
    show_pairs(f"decision of {world_id}", pairs)


@app.command()
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
    """Let a strategy trade in a world, at most up to paper."""
    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.world.v1 import service_pb2 as worldpb

    changes = [
        worldpb.ActivationChange(
            strategy_id=strategy_id,
            side=f"SIDE_{one.name}",
            active=True,
            weight=weight,
            freeze=None if orders is None else orders is OrdersName.NONE,
            drain=None if orders is None else orders is OrdersName.REDUCING,
            stage=f"STAGE_{stage.name}" if stage else None,
        )
        for one in side or [SideName.LONG]
    ]
    activation = _set_activation(access, world_id, changes, reason or "qmtl world activate", allow_live=allow_live)
    if not access.json and activation.effective_mode == commonpb.EFFECTIVE_MODE_COMPUTE_ONLY:
        typer.echo("nothing trades yet: see qmtl world decide, and --stage paper")
    drains = any(entry.drain and entry.strategy_id == strategy_id for entry in activation.entries)
    if not access.json and orders is OrdersName.ALL and drains:
        typer.echo("it drains on: the policy does not let it take new risk, see qmtl world explain")


@app.command()
@with_access
def deactivate(
    access: Access, world_id: WorldId, strategy_id: StrategyId, side: Sides = None, reason: Reason = ""
) -> None:
    """Stop a strategy from trading in a world; its open orders can still be canceled."""
    from qmtl.world.v1 import service_pb2 as worldpb

    changes = [
        worldpb.ActivationChange(strategy_id=strategy_id, side=f"SIDE_{one.name}", active=False)
        for one in side or list(SideName)
    ]
    _set_activation(access, world_id, changes, reason or "qmtl world deactivate")


def _set_activation(
    access: Access, world_id: str, changes: list[worldpb.ActivationChange], reason: str, *, allow_live: bool = False
) -> world_pb2.ActivationEnvelope:
    """Change what is there now; somebody else's change in between is a Conflict, not overwritten."""
    from qmtl.cli.gateway.calls import ask, live_metadata
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> world_pb2.ActivationEnvelope:
        stub = worldrpc.WorldServiceStub(channel)
        current = (await stub.GetActivation(worldpb.GetActivationRequest(world_id=world_id))).activation
        request = worldpb.SetActivationRequest(world_id=world_id, etag=current.etag, changes=changes, reason=reason)
        return (await stub.SetActivation(request, metadata=live_metadata(is_meant=allow_live))).activation

    activation = ask(access, call)
    if access.json:
        show_json(as_dict(activation))
    else:
        show_activation(activation)
    return activation


@policy.command("set")
@with_access
def set_policy(
    access: Access,
    world_id: WorldId,
    document: Annotated[
        Path | None, typer.Argument(help="Policy document (YAML).", exists=True, dir_okay=False)
    ] = None,
    preset: Annotated[str, typer.Option(help="Take this preset's document: see qmtl world policy presets.")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="Store it without making it the default.")] = False,
) -> None:
    """Store a policy document, from a file or a preset, as a new version."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.core.errors import InvalidRequest
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    if bool(preset) == (document is not None):
        raise InvalidRequest("E_POLICY_OPTIONS", "give either a document or --preset")
    text = document.read_text(encoding="utf-8") if document else ""

    async def call(channel: MeshChannel) -> world_pb2.Policy:
        stub = worldrpc.WorldServiceStub(channel)
        chosen = text or await _preset_document(channel, preset)
        request = worldpb.PutPolicyRequest(world_id=world_id, document=chosen, make_default=not draft)
        return (await stub.PutPolicy(request)).policy

    _show_policy(ask(access, call), access.json)


@policy.command()
@with_access
def presets(access: Access) -> None:
    """Policy documents to start from, the strictest last."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> worldpb.ListPolicyPresetsResponse:
        return await worldrpc.WorldServiceStub(channel).ListPolicyPresets(worldpb.ListPolicyPresetsRequest())

    found = ask(access, call).presets
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    for one in found:
        typer.echo(f"# {one.name}: {one.description}\n{one.document}")


async def _preset_document(channel: MeshChannel, name: str) -> str:
    """The document of a preset. Raises NotFound (E_POLICY_PRESET_UNKNOWN) naming those there are."""
    from qmtl.core.errors import NotFound
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    reply = await worldrpc.WorldServiceStub(channel).ListPolicyPresets(worldpb.ListPolicyPresetsRequest())
    documents = {one.name: one.document for one in reply.presets}
    if name not in documents:
        raise NotFound("E_POLICY_PRESET_UNKNOWN", f"no policy preset {name!r}; there are {', '.join(documents)}")
    return documents[name]


@policy.command("show")
@with_access
def show_policy(
    access: Access,
    world_id: WorldId,
    version: Annotated[int, typer.Option(help="Version. 0: the default one.", min=0)] = 0,
) -> None:
    """One version of a world's policy."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> world_pb2.Policy:
        request = worldpb.GetPolicyRequest(world_id=world_id, version=version)
        return (await worldrpc.WorldServiceStub(channel).GetPolicy(request)).policy

    _show_policy(ask(access, call), access.json)


def _show_world(world: world_pb2.World, json: bool) -> None:
    from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
    from qmtl.cli.show.tables import show_pairs
    from qmtl.world.v1 import world_pb2

    if json:
        show_json(as_dict(world))
        return
    pairs = [
        ("name", world.name),
        ("owner", world.owner),
        ("state", enum_word(world_pb2.WorldState, world.state)),
        (
            "policy version",
            str(world.default_policy_version) if world.default_policy_version else "none: validates only",
        ),
        ("data presets", ", ".join(world.data_presets) or "-"),
        ("live allowed", "yes" if world.allow_live else "no"),
        ("circuit breaker", "TRIPPED" if world.circuit_breaker else "closed"),
        ("created", when(world.created_at)),
    ]
    show_pairs(f"world {world.world_id}", pairs)


def _show_policy(stored: world_pb2.Policy, json: bool) -> None:
    from qmtl.cli.show.messages import as_dict, enum_word, show_json
    from qmtl.world.v1 import world_pb2

    if json:
        show_json(as_dict(stored))
        return
    state = enum_word(world_pb2.PolicyStatus, stored.status)
    typer.echo(f"# {stored.world_id} policy version {stored.version}, {state}, {stored.checksum}")
    typer.echo(stored.document.rstrip())


def show_activation(activation: world_pb2.ActivationEnvelope) -> None:
    from qmtl.cli.show.messages import enum_word
    from qmtl.cli.show.tables import show_table
    from qmtl.common.v1 import common_pb2 as commonpb

    rows = [
        (
            entry.strategy_id,
            enum_word(commonpb.Side, entry.side),
            "yes" if entry.active else "no",
            f"{entry.weight:g}",
            ", ".join(word for word, on in (("freeze", entry.freeze), ("drain", entry.drain)) if on) or "-",
            enum_word(commonpb.EffectiveMode, entry.effective_mode),
        )
        for entry in activation.entries
    ]
    mode = enum_word(commonpb.EffectiveMode, activation.effective_mode)
    pending = ", fence pending" if activation.fence_pending else ""
    title = f"activation revision {activation.revision}, {mode}, epoch {activation.epoch}{pending}"
    show_table(title, ("strategy", "side", "active", "weight", "flags", "mode"), rows)
    for window in activation.windows:
        typer.echo(f"new risk only on {window_text(window)}")
    for field, value in activation.limits.ListFields():
        typer.echo(f"{field.name.removesuffix('_max').replace('_', ' ')} at most {value}")


def _assumed(model: world_pb2.ExecutionModel) -> str:
    """What backtests have to assume at least, in the policy's terms."""
    return ", ".join(f"{field.name} {value}" for field, value in model.ListFields() if field.name != "fill") or "-"


def _domains_text(domains: Sequence[commonpb.ExecutionDomain]) -> str:
    from qmtl.cli.show.messages import enum_word
    from qmtl.common.v1 import common_pb2 as commonpb

    return ", ".join(enum_word(commonpb.ExecutionDomain, domain) for domain in domains) or "-"


def window_text(window: world_pb2.ActivationWindow) -> str:
    """A weekly window in words: "mon, tue 09:30-16:00 America/New_York"."""
    from qmtl.world.v1 import world_pb2

    days = ", ".join(world_pb2.Weekday.Name(day).removeprefix("WEEKDAY_").lower()[:3] for day in window.days)
    opens, closes = (f"{s // 3600:02}:{s % 3600 // 60:02}" for s in (window.opens.seconds, window.closes.seconds))
    return f"{days} {opens}-{closes} {window.time_zone}"
