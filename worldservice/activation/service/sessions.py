"""RPCs of the sessions of worlds and the gate sessions of gateways; all for other services but the readers'."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.modes import ExecutionDomain, orders_allowed
from qmtl.rpc.auth.call import current_call
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import service_pb2 as pb
from worldservice.activation.domain.activation import Activation
from worldservice.activation.domain.gate_session import GateSession, gate_lapsed, lags
from worldservice.activation.domain.sessions import domains_entered
from worldservice.activation.recording import session_plan
from worldservice.activation.store import activations, gates
from worldservice.activation.wire import activation_to_proto, gate_to_proto, session_to_proto
from worldservice.evaluation.facts import decide_world
from worldservice.worlds.acts import Act, audit_write, audited, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.roles import Role
from worldservice.worlds.domain.session import Session, SessionPlan, advance, open_session
from worldservice.worlds.fields import domain_from_proto, optional_text, require_text
from worldservice.worlds.store import sessions, worlds
from worldservice.worlds.writes import House

GATES_KEPT = timedelta(hours=1)
Snapshot = tuple[Activation, tuple[Session, ...]]


class SessionCalls:
    """One session per world and trading domain; one gate session per gateway."""

    house: House

    @audited
    async def OpenSession(self, request: pb.OpenSessionRequest, act: Act) -> pb.OpenSessionResponse:
        domain = _trading(request.execution_domain)
        start = instant_from_proto(request.start, "start") if request.HasField("start") else None
        preset = optional_text(request.data_preset, "data_preset")
        fingerprint = optional_text(request.dataset_fingerprint, "dataset_fingerprint")

        def work(conn: Connection) -> Session:
            world = world_to_write(conn, act, Role.OPERATOR)
            found = _find_open(conn, world.world_id, domain)
            if found is not None:
                return found
            activation = activations.load_activation(conn, world.world_id, world.created_at)
            if domain not in domains_entered(activation):
                raise _nobody_there(world.world_id, domain)
            verdicts = decide_world(conn, world, self.house.rules, act.now)
            plan = session_plan(world, self.house.rules, verdicts, act.now)
            asked = SessionPlan(
                start or plan.start, preset or plan.data_preset, fingerprint or plan.dataset_fingerprint
            )
            session = open_session(world.world_id, domain, asked, act.now)
            sessions.save_session(conn, session)
            audit_write(conn, act, f"opened {session.session_id}")
            return session

        return pb.OpenSessionResponse(session=session_to_proto(await self.house.db.write(work)))

    async def GetSession(self, request: pb.GetSessionRequest, context: object) -> pb.GetSessionResponse:
        caller, domain = caller_of(current_call()), _trading(request.execution_domain)

        def work(conn: Connection) -> Session:
            found = _find_open(conn, world_to_read(conn, caller, request.world_id).world_id, domain)
            if found is None:
                raise NotFound("E_SESSION_UNKNOWN", f"world {request.world_id} has no open {domain.value} session")
            return found

        return pb.GetSessionResponse(session=session_to_proto(await self.house.db.read(work)))

    @audited
    async def AdvanceWatermark(self, request: pb.AdvanceWatermarkRequest, act: Act) -> pb.AdvanceWatermarkResponse:
        """Comes with every bar: only its refusals are audited."""
        watermark = instant_from_proto(request.watermark, "watermark")

        def work(conn: Connection) -> Session:
            session = _session_of(conn, act, request.session_id)
            advanced = advance(session, watermark)
            if advanced != session:
                sessions.save_session(conn, advanced)
            return advanced

        return pb.AdvanceWatermarkResponse(session=session_to_proto(await self.house.db.write(work)))

    @audited
    async def CloseSession(self, request: pb.CloseSessionRequest, act: Act) -> pb.CloseSessionResponse:
        def work(conn: Connection) -> Session:
            session = _session_of(conn, act, request.session_id)
            if session.closed_at is not None:
                return session
            world = worlds.get_world(conn, session.world_id)
            activation = activations.load_activation(conn, world.world_id, world.created_at)
            if session.domain in domains_entered(activation):
                raise NotReady(
                    "E_SESSION_IN_USE",
                    f"strategies of {world.world_id} are in {session.domain.value}",
                    hint="lower their stage; the session closes with the last one",
                )
            closed = replace(session, closed_at=act.now)
            sessions.save_session(conn, closed)
            audit_write(conn, replace(act, world_id=world.world_id), f"closed {session.session_id}")
            return closed

        return pb.CloseSessionResponse(session=session_to_proto(await self.house.db.write(work)))

    @audited
    async def OpenGateSession(self, request: pb.OpenGateSessionRequest, act: Act) -> pb.OpenGateSessionResponse:
        gateway_id = require_text(request.gateway_id, "gateway_id")
        gate = GateSession(gateway_id, require_text(request.boot_id, "boot_id"), act.now, {})

        def work(conn: Connection) -> list[Snapshot]:
            gates.prune_gates(conn, act.now - GATES_KEPT)
            gates.save_gate(conn, gate)
            audit_write(conn, act, f"gateway {gateway_id} joined as {gate.boot_id}")
            return _snapshots(conn, activations.revisions(conn))

        snapshots = await self.house.db.write(work)
        envelopes = [activation_to_proto(*snapshot) for snapshot in snapshots]
        return pb.OpenGateSessionResponse(session=gate_to_proto(gate), activations=envelopes)

    @audited
    async def RenewGateSession(self, request: pb.RenewGateSessionRequest, act: Act) -> pb.RenewGateSessionResponse:
        """Comes every second or two from each gateway: only its refusals are audited."""
        gateway_id = require_text(request.gateway_id, "gateway_id")
        boot_id = require_text(request.boot_id, "boot_id")
        applied = dict(request.applied_revisions)

        def work(conn: Connection) -> tuple[GateSession, list[Snapshot]]:
            gate = gates.find_gate(conn, gateway_id)
            if gate is None or gate.boot_id != boot_id or gate_lapsed(gate, act.now):
                raise NotFound("E_GATE_SESSION_UNKNOWN", f"gateway {gateway_id} has no session", hint="open one")
            current = activations.revisions(conn)
            _refuse_deaf(applied, current, act.now, self.house.gate_skew_max)
            renewed = GateSession(gateway_id, boot_id, act.now, applied)
            gates.save_gate(conn, renewed)
            return renewed, _snapshots(conn, [w for w, (r, _) in current.items() if applied.get(w, 0) != r])

        gate, news = await self.house.db.write(work)
        envelopes = [activation_to_proto(*snapshot) for snapshot in news]
        return pb.RenewGateSessionResponse(session=gate_to_proto(gate), activations=envelopes)


def _trading(number: commonpb.ExecutionDomain) -> ExecutionDomain:
    domain = domain_from_proto(number, "execution_domain")
    if not orders_allowed(domain):
        raise InvalidRequest("E_DOMAIN", f"execution_domain is {domain.value}, want DRYRUN or LIVE")
    return domain


def _find_open(conn: Connection, world_id: str, domain: ExecutionDomain) -> Session | None:
    return next((s for s in sessions.open_sessions(conn, world_id) if s.domain is domain), None)


def _nobody_there(world_id: str, domain: ExecutionDomain) -> NotReady:
    return NotReady(
        "E_MODE_CEILING",
        f"no strategy of world {world_id} is in {domain.value}",
        hint="an operator raises one with SetActivation, which opens the session",
    )


def _session_of(conn: Connection, act: Act, session_id: str) -> Session:
    """A session whose world the caller may operate, with the world locked."""
    found = sessions.get_session(conn, require_text(session_id, "session_id"))
    world_to_write(conn, replace(act, world_id=found.world_id), Role.OPERATOR)
    return sessions.get_session(conn, session_id)


def _snapshots(conn: Connection, world_ids: Iterable[str]) -> list[Snapshot]:
    """Activations with their sessions; a world that never had one is shut by having none."""
    found = [worlds.get_world(conn, world_id) for world_id in sorted(world_ids)]
    loaded = [activations.load_activation(conn, world.world_id, world.created_at) for world in found]
    return [(activation, sessions.open_sessions(conn, activation.world_id)) for activation in loaded]


def _refuse_deaf(
    applied: dict[str, int], current: dict[str, tuple[int, datetime]], now: datetime, skew_max: timedelta
) -> None:
    behind = lags(applied, current, now, skew_max)
    if behind:
        raise NotReady(
            "E_GATE_LAGS",
            f"applied revisions lag in {', '.join(behind[:10])}",
            hint="load the snapshots: open a new gate session",
            metadata={"worlds": ",".join(behind[:10])},
        )
