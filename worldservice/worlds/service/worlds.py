"""RPCs of worlds: create, read, change, delete."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import AlreadyExists, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.data_presets import DataPresets
from worldservice.worlds.domain.roles import Caller, Grant, world_scope
from worldservice.worlds.domain.world import (
    Effect,
    World,
    WorldState,
    change_world,
    new_world,
    require_etag,
    same_request,
)
from worldservice.worlds.store import roles, worlds
from worldservice.worlds.wire import change_from_proto, world_to_proto
from worldservice.worlds.writes import AuditedServicer, Writes, audited

HeldByFreeze = tuple[tuple[str, ...], tuple[str, ...]]
"""Orders that a freeze holds, and positions that have lost their exits."""


class WorldServicer(AuditedServicer, worldrpc.WorldServiceServicer):
    """Every write is one transaction that ends in a narrowed activation and an audit row."""

    def __init__(self, writes: Writes, presets: DataPresets, held: Callable[[str], Awaitable[HeldByFreeze]]) -> None:
        """`held` asks brokerage what a freeze of a world would hold, and what has lost its exits."""
        super().__init__(writes)
        self._presets = presets
        self._held = held

    @audited
    async def CreateWorld(
        self, request: worldservicepb.CreateWorldRequest, act: Act
    ) -> worldservicepb.CreateWorldResponse:
        wanted = new_world(
            request.world_id,
            act.actor,
            act.now,
            name=request.name,
            labels=dict(request.labels),
            data_presets=tuple(request.data_presets),
            allow_live=request.allow_live,
        )
        await self._presets.require(wanted.data_presets)
        world = await self.writes.db.write(lambda conn: _create(conn, act, wanted))
        return worldservicepb.CreateWorldResponse(world=world_to_proto(world))

    async def GetWorld(
        self, request: worldservicepb.GetWorldRequest, context: object
    ) -> worldservicepb.GetWorldResponse:
        caller = caller_of(current_call())
        world = await self.writes.db.read(lambda conn: world_to_read(conn, caller, request.world_id))
        held, bare = await self._held(world.world_id) if request.with_held else ((), ())
        return worldservicepb.GetWorldResponse(world=world_to_proto(world), held=held, unprotected=bare)

    async def ListWorlds(
        self, request: worldservicepb.ListWorldsRequest, context: object
    ) -> worldservicepb.ListWorldsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (str,))
        rows = await self.writes.db.read(lambda conn: worlds.list_worlds(conn, page, _visible(conn, caller)))
        shown, info = page_of(rows, page, lambda world: (world.world_id,), world_to_proto)
        return worldservicepb.ListWorldsResponse(worlds=shown, page=info)

    @audited
    async def UpdateWorld(
        self, request: worldservicepb.UpdateWorldRequest, act: Act
    ) -> worldservicepb.UpdateWorldResponse:
        change = change_from_proto(request)
        await self._presets.require(change.data_presets or ())

        def work(conn: Connection) -> tuple[World, Effect]:
            changed = change_world(world_to_write(conn, act, Role.OWNER), change, act.now)
            return changed, self.writes.save_world(conn, act, changed)

        world, effect = await self.writes.db.write(work)
        await self.writes.enforce(world.world_id, effect)
        return worldservicepb.UpdateWorldResponse(world=world_to_proto(world))

    @audited
    async def DeleteWorld(
        self, request: worldservicepb.DeleteWorldRequest, act: Act
    ) -> worldservicepb.DeleteWorldResponse:
        def work(conn: Connection) -> Effect | None:
            world = world_to_write(conn, act, Role.OWNER)
            if world.state is WorldState.DELETED:
                return None
            require_etag(request.etag, world.etag, f"world {world.world_id}")
            gone = replace(world, state=WorldState.DELETED, updated_at=act.now, revision=world.revision + 1)
            effect = self.writes.save_world(conn, act, gone)
            if effect.could_trade:  # raising undoes the transaction, narrowing and all
                raise NotReady(
                    "E_WORLD_ACTIVE", f"something in world {gone.world_id} may trade", hint="deactivate it, then delete"
                )
            return effect

        await self.writes.enforce(request.world_id, await self.writes.db.write(work))
        return worldservicepb.DeleteWorldResponse()


def _create(conn: Connection, act: Act, wanted: World) -> World:
    if not act.caller.own_act and act.caller.token_role < Role.OPERATOR:
        raise PermissionDenied(
            "E_ROLE_REQUIRED", f"{act.actor} is {act.caller.token_role.name.lower()}, want operator to create a world"
        )
    if act.caller.worlds is not None and wanted.world_id not in act.caller.worlds:
        raise PermissionDenied("E_WORLD_FORBIDDEN", f"the token of {act.actor} is not for world {wanted.world_id!r}")
    found = worlds.find_world(conn, wanted.world_id)
    if found is not None:
        if found.state is not WorldState.DELETED and same_request(found, wanted):
            return found
        raise AlreadyExists(
            "E_WORLD_EXISTS", f"world {wanted.world_id} exists with other content", hint="choose another id"
        )
    worlds.insert_world(conn, wanted)
    roles.save_grant(conn, Grant(world_scope(wanted.world_id), act.actor, Role.OWNER, act.actor, act.now))
    audit_write(conn, act, "created")
    return wanted


def _visible(conn: Connection, caller: Caller) -> frozenset[str] | None:
    """The worlds a caller has a role in; None: all."""
    if caller.own_act or caller.token_role >= Role.READER:
        return caller.worlds
    granted = roles.worlds_granted(conn, caller.subject)
    return granted if caller.worlds is None else granted & caller.worlds
