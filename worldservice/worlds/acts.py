"""Acts: who does what, and when. Every write is authorised, stored and audited under one; reads only authorise."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import structlog
from google.protobuf.json_format import MessageToJson, SerializeToJsonError
from google.protobuf.message import Message
from sqlalchemy import Connection

from controlbus.events.control_event import ControlEventDraft
from qmtl.core.clock import Clock
from qmtl.core.errors import PermissionDenied, Unauthenticated, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import Call, current_call
from qmtl.wire.instants import require_times
from worldservice.worlds.domain.audit import AuditRow
from worldservice.worlds.domain.roles import Caller, effective_role, require_role, world_scope
from worldservice.worlds.domain.world import World
from worldservice.worlds.store.audit import append_audit
from worldservice.worlds.store.roles import grants_of
from worldservice.worlds.store.worlds import get_world, lock_world

SOURCE = "worldservice"

OK, REFUSED = "OK", "REFUSED"
NAMING = ("node", "parts", "override")  # fields of requests that say the world inside
log = structlog.stdlib.get_logger("qmtl.worldservice.worlds")

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res")


@dataclass(frozen=True, slots=True)
class Act:
    """One attributed act: the RPC or internal event, on whose behalf, and the instant it is decided at."""

    event: str
    world_id: str
    caller: Caller
    actor: str
    request: str
    correlation_id: str
    request_id: str
    now: datetime


def caller_of(call: Call) -> Caller:
    """The caller as the access rules see it. Raises Unauthenticated when there is neither user nor service."""
    if call.identity is not None:
        return Caller(call.identity.subject, call.identity.role, call.identity.worlds)
    if call.service is not None:
        return Caller(f"service:{call.service.name}", Role.NONE, own_act=True)
    raise Unauthenticated("E_TOKEN_MISSING", "this call needs a user token or a granted service token")


def act_of(
    event: str, world_id: str, request: Message, clock: Clock, call: Call | None = None, text: str | None = None
) -> Act:
    """The act of a request: who sent it, and the instant it is decided at. `text` is audited in the request's place."""
    caller = caller_of(call or current_call())
    here = call or current_call()
    text = audited_text(request) if text is None else text
    return Act(event, world_id, caller, caller.subject, text, here.correlation_id, here.request_id, clock.now())


def audited_text(request: Message) -> str:
    """The request as it is audited. Raises InvalidRequest for one that has no JSON form: no handler could read it."""
    try:
        return MessageToJson(request, preserving_proto_field_name=True, indent=None)
    except (SerializeToJsonError, ValueError) as error:
        require_times(request)
        raise refused("E_FIELD", "request", error, "values that JSON has") from None


def own_act(event: str, world_id: str, now: datetime) -> Act:
    """An act of worldservice itself: a decision that lowered, a fence that had to be raised."""
    subject = "service:worldservice"
    return Act(event, world_id, Caller(subject, Role.NONE, own_act=True), subject, "", "", "", now)


def on_behalf_of(act: Act, subject: str) -> Act:
    """Queued work names the user authorised at acceptance; nobody else may name another. Raises PermissionDenied."""
    if not subject or subject == act.actor:
        return act
    if not act.caller.own_act:
        raise PermissionDenied(
            "E_ON_BEHALF_OF",
            f"{act.actor} may not act for {subject}",
            hint="leave on_behalf_of empty; only queued work of a service sets it",
        )
    return replace(act, actor=subject)


def world_to_write(conn: Connection, act: Act, want: Role) -> World:
    """Load and lock the act's world and demand a role in it; the first thing of every write."""
    world = lock_world(conn, act.world_id)
    _require_role(conn, act.caller, act.world_id, want)
    return world


def world_to_read(conn: Connection, caller: Caller, world_id: str, want: Role = Role.READER) -> World:
    """Load a world and demand a role in it; the first thing of every read."""
    world = get_world(conn, world_id)
    _require_role(conn, caller, world_id, want)
    return world


def unread_worlds(conn: Connection, caller: Caller, world_ids: Iterable[str]) -> frozenset[str]:
    """Of these worlds those in which the caller is no reader; none of a service's own act."""
    if caller.own_act:
        return frozenset()
    named = set(world_ids)
    return frozenset(one for one in named if effective_role(caller, grants_of(conn, world_scope(one))) < Role.READER)


def audit_write(conn: Connection, act: Act, detail: str = "") -> None:
    """Audit a write in its own transaction; the last thing of every write."""
    append_audit(conn, audit_row(act, OK, detail))


def _require_role(conn: Connection, caller: Caller, world_id: str, want: Role) -> None:
    """Grants are read only for who needs one: a service's own act was granted by name at the door."""
    require_role(caller, world_id, want, () if caller.own_act else grants_of(conn, world_scope(world_id)))


def world_of(request: Message) -> str:
    """The world a request names, itself or in what it writes; empty when it names none."""
    given = {known.name: value for known, value in request.ListFields()}
    if "world_id" not in request.DESCRIPTOR.fields_by_name:
        inner = (given[name] for name in NAMING if name in given)
        return next((world_of(message) for message in inner), "")
    value: str = given.get("world_id", "")
    return value if len(value) <= 63 and value.isprintable() else ""


def audit_row(act: Act, result: str, detail: str) -> AuditRow:
    """What the audit log keeps of an act; text that cannot be printed is blanked."""
    clean = "".join(character if character.isprintable() else " " for character in detail)
    return AuditRow(0, act.world_id, act.actor, act.event, act.request, result, clean, act.correlation_id, act.now)


def draft(key: str, payload: Message, act: Act) -> ControlEventDraft:
    """An event under an act, which names its cause."""
    return ControlEventDraft(
        SOURCE, key, payload, act.now, correlation_id=act.correlation_id, causation_id=act.request_id
    )
