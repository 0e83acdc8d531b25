"""`qmtl world create|list|show`: worlds and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.commands.world.activation import show_activation
from qmtl.cli.commands.world.hold import tell_unprotected
from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.options import Access, WorldId, with_access
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc


@with_access
def create(
    access: Access,
    world_id: WorldId,
    name: Annotated[str, typer.Option(help="Display name. Default: the id.")] = "",
    preset: Annotated[list[str] | None, typer.Option(help="Data preset, for example demo.btc.15m. Repeatable.")] = None,
    policy_file: Annotated[Path | None, typer.Option("--policy", help="Policy document, made the default.")] = None,
    allow_live: Annotated[bool, typer.Option("--allow-live", help="Live trading may become possible.")] = False,
) -> None:
    """Create a world and become its owner; repeated, it answers the same world."""
    document = policy_file.read_text(encoding="utf-8") if policy_file else ""

    async def call(channel: MeshChannel) -> worldpb.World:
        request = worldservicepb.CreateWorldRequest(
            world_id=world_id, name=name or world_id, data_presets=preset or [], allow_live=allow_live
        )
        world = (
            await worldrpc.WorldServiceStub(channel).CreateWorld(request, metadata=live_metadata(is_meant=allow_live))
        ).world
        if document:
            put = policyservicepb.PutPolicyRequest(world_id=world_id, document=document, make_default=True)
            await policyrpc.PolicyServiceStub(channel).PutPolicy(put)
            world = (
                await worldrpc.WorldServiceStub(channel).GetWorld(worldservicepb.GetWorldRequest(world_id=world_id))
            ).world
        return world

    _show_world(ask(access, call), access.json)


@with_access
def list_worlds(access: Access) -> None:
    """List the worlds you have a role in."""

    async def call(channel: MeshChannel) -> list[worldpb.World]:
        stub = worldrpc.WorldServiceStub(channel)
        found: list[worldpb.World] = []
        page_token = ""
        while True:
            page = commonpb.PageRequest(page_token=page_token)
            reply = await stub.ListWorlds(worldservicepb.ListWorldsRequest(page=page))
            found.extend(reply.worlds)
            page_token = reply.page.next_page_token
            if not page_token:
                return found

    worlds = ask(access, call)
    columns = ("world", "name", "owner", "state", "policy", "data")
    show_listing(access, worlds, "worlds", columns, _world_rows)


def _world_rows(worlds: Sequence[worldpb.World]) -> list[tuple[str, ...]]:
    return [
        (
            world.world_id,
            world.name,
            world.owner,
            enum_word(worldpb.WorldState, world.state),
            str(world.default_policy_version),
            ", ".join(world.data_presets),
        )
        for world in worlds
    ]


@with_access
def show(
    access: Access,
    world_id: WorldId,
    held: Annotated[bool, typer.Option("--held", help="Also which orders a freeze would hold, or holds.")] = False,
) -> None:
    """Show a world, its strategies and its activation."""

    async def call(
        channel: MeshChannel,
    ) -> tuple[worldservicepb.GetWorldResponse, bindingservicepb.ListBindingsResponse, activationpb.ActivationEnvelope]:
        request = worldservicepb.GetWorldRequest(world_id=world_id, with_held=held)
        found = await worldrpc.WorldServiceStub(channel).GetWorld(request)
        bindings = await bindingrpc.BindingServiceStub(channel).ListBindings(
            bindingservicepb.ListBindingsRequest(world_id=world_id)
        )
        activation = (
            await activationrpc.ActivationServiceStub(channel).GetActivation(
                activationservicepb.GetActivationRequest(world_id=world_id)
            )
        ).activation
        return found, bindings, activation

    found, bindings, activation = ask(access, call)
    if access.json:
        bound = [as_dict(binding) for binding in bindings.bindings]
        shown = {"world": as_dict(found.world), "bindings": bound, "activation": as_dict(activation)}
        show_json({**shown, "held": list(found.held), "unprotected": list(found.unprotected)} if held else shown)
        return
    _show_world(found.world, False)
    if held:
        typer.echo(f"a freeze holds: {', '.join(found.held) or 'nothing'}")
        tell_unprotected(found.unprotected)
    rows = [
        (b.strategy_id, enum_word(bindingpb.Stage, b.stage), _domains_text(b.opened_domains), b.created_by)
        for b in bindings.bindings
    ]
    show_table("strategies", ("strategy", "stage", "edges open to", "bound by"), rows)
    show_activation(activation)


def _show_world(world: worldpb.World, json: bool) -> None:
    if json:
        show_json(as_dict(world))
        return
    pairs = [
        ("name", world.name),
        ("owner", world.owner),
        ("state", enum_word(worldpb.WorldState, world.state)),
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


def _domains_text(domains: Sequence[commonpb.ExecutionDomain]) -> str:
    return ", ".join(enum_word(commonpb.ExecutionDomain, domain) for domain in domains) or "-"
