"""RPCs of gateways: their gate sessions, and what they have applied."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from qmtl.core.errors import NotFound, NotReady
from qmtl.sql.database import signal
from qmtl.wire.fields import require_int64, require_text
from qmtl.wire.paging import parts_of
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import gate_service_pb2_grpc as gaterpc
from worldservice.activation.domain.activation import Activation
from worldservice.activation.domain.gate_session import GateSession, gate_lapsed, lags, opened, renewed
from worldservice.activation.domain.hold import Hold
from worldservice.activation.domain.unwritten import UnwrittenHolds, met
from worldservice.activation.events import activation_acked
from worldservice.activation.store import activations, gates
from worldservice.activation.store.holds import find_hold
from worldservice.activation.wire import activation_to_proto, gate_to_proto
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write
from worldservice.worlds.domain.session import Session
from worldservice.worlds.store import sessions, worlds
from worldservice.worlds.writes import AuditedServicer, Writes, audited

GATES_KEPT = timedelta(hours=1)
Snapshot = tuple[Activation, tuple[Session, ...]]
Stands = Callable[[Connection, str, str], bool]


class GateServicer(AuditedServicer, gaterpc.GateServiceServicer):
    """One gate session per gateway; one whose applied revision lags is not renewed, so that a deaf gateway shuts."""

    def __init__(self, writes: Writes, skew_max: timedelta, unwritten: UnwrittenHolds, stands: Stands) -> None:
        """`stands`: whether a world's run is in the store."""
        super().__init__(writes)
        self._stands = stands
        self._skew_max = skew_max
        self._unwritten = unwritten

    @audited
    async def OpenGateSession(
        self, request: gateservicepb.OpenGateSessionRequest, act: Act
    ) -> gateservicepb.OpenGateSessionResponse:
        gateway_id = require_text(request.gateway_id, "gateway_id")
        boot_id, unwritten = require_text(request.boot_id, "boot_id"), self._unwritten.current()

        def work(conn: Connection) -> tuple[GateSession, list[Snapshot], list[str]]:
            gates.prune_gates(conn, act.now - GATES_KEPT)
            gate = opened(gates.find_gate(conn, gateway_id), gateway_id, boot_id, act.now)
            if gate is None:
                raise _id_in_use(gateway_id)
            gates.save_gate(conn, gate)
            audit_write(conn, act, f"gateway {gateway_id} joined as {gate.boot_id}")
            return gate, _snapshots(conn, activations.revisions(conn)), self._to_shut(conn, unwritten)

        gate, snapshots, to_shut = await self.writes.db.write(work)
        envelopes, more = next(parts_of(activation_to_proto(*snapshot) for snapshot in snapshots))
        return gateservicepb.OpenGateSessionResponse(
            session=gate_to_proto(gate), activations=envelopes, more=more, shut_world_ids=to_shut
        )

    @audited
    async def RenewGateSession(
        self, request: gateservicepb.RenewGateSessionRequest, act: Act
    ) -> gateservicepb.RenewGateSessionResponse:
        """Comes every second or two from each gateway: only its refusals are audited."""
        gateway_id = require_text(request.gateway_id, "gateway_id")
        boot_id = require_text(request.boot_id, "boot_id")
        applied, unwritten = dict(request.applied_world_revisions), self._unwritten.current()

        def work(conn: Connection) -> tuple[GateSession, list[Snapshot], list[str]]:
            held = gates.find_gate(conn, gateway_id)
            gate = None if held is None else renewed(held, boot_id, applied, act.now)
            if held is not None and held.refused == boot_id and not gate_lapsed(held, act.now):
                raise _id_in_use(gateway_id)
            if gate is None:
                raise NotFound("E_GATE_SESSION_UNKNOWN", f"gateway {gateway_id} has no session", hint="open one")
            current = activations.revisions(conn)
            _refuse_deaf(applied, current, act.now, self._skew_max)
            gates.save_gate(conn, gate)
            news = _snapshots(conn, [w for w, (r, _) in current.items() if applied.get(w, 0) != r])
            return gate, news, self._to_shut(conn, unwritten)

        gate, news, to_shut = await self.writes.db.write(work)
        envelopes, more = next(parts_of(activation_to_proto(*snapshot) for snapshot in news))
        return gateservicepb.RenewGateSessionResponse(
            session=gate_to_proto(gate), activations=envelopes, more=more, shut_world_ids=to_shut
        )

    def _to_shut(self, conn: Connection, unwritten: Iterable[tuple[str, Hold]]) -> list[str]:
        """Worlds of which a freeze or drain is asked for that is not in the store, also by another replica.

        One that is on record and holds the world no longer was left by Resume.
        """
        return sorted(
            {
                world_id
                for world_id, hold in unwritten
                if not met(hold, find_hold(conn, world_id)) and not self._stands(conn, world_id, hold.run_id)
            }
        )

    @audited
    async def AckActivation(
        self, request: gateservicepb.AckActivationRequest, act: Act
    ) -> gateservicepb.AckActivationResponse:
        gateway_id, boot_id = require_text(request.gateway_id, "gateway_id"), require_text(request.boot_id, "boot_id")
        run_id = require_text(request.run_id, "run_id")
        sequence = require_int64(request.apply_sequence, "apply_sequence")

        def work(conn: Connection) -> None:
            gate = gates.find_gate(conn, gateway_id)
            if gate is None or gate.boot_id != boot_id or gate_lapsed(gate, act.now):
                raise NotFound("E_GATE_SESSION_UNKNOWN", f"gateway {gateway_id} has no session", hint="open one")
            hold = find_hold(conn, request.world_id)
            if hold is None or hold.run_id != run_id:
                raise NotFound("E_RUN_UNKNOWN", f"world {request.world_id} is not held by an apply {run_id!r}")
            if gates.save_ack(conn, request.world_id, run_id, gateway_id, boot_id, sequence, act.now):
                outbox.append(conn, activation_acked(request, act))
                audit_write(conn, act, f"{gateway_id} has applied sequence {sequence} of {run_id}")
                signal(conn, gates.ACKED_SIGNAL)

        await self.writes.db.write(work)
        return gateservicepb.AckActivationResponse()


def _id_in_use(gateway_id: str) -> NotReady:
    return NotReady(
        "E_GATEWAY_ID_IN_USE",
        f"gateway.gateway_id is {gateway_id!r}, which another gateway that runs has",
        hint="give each gateway an id of its own, or leave gateway.gateway_id empty",
        metadata={"gateway_id": gateway_id},
    )


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
