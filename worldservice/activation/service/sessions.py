"""RPCs of the sessions of worlds in trading domains, for services of the mesh."""

from dataclasses import replace

from sqlalchemy import Connection

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.modes import ExecutionDomain, orders_allowed
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import optional_text, require_text
from qmtl.wire.instants import instant_from_proto, instant_to_proto
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import session_service_pb2_grpc as sessionrpc
from worldservice.activation.domain.sessions import domains_entered
from worldservice.activation.recording import session_plan
from worldservice.activation.store import activations
from worldservice.activation.wire import session_to_proto
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.facts import decide_world
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.feed import Feed
from worldservice.worlds.domain.session import Session, SessionPlan, advance, open_session
from worldservice.worlds.store import sessions, worlds
from worldservice.worlds.store.feeds import advance_feed
from worldservice.worlds.wire import domain_from_proto
from worldservice.worlds.writes import AuditedServicer, Writes, audited


class SessionServicer(AuditedServicer, sessionrpc.SessionServiceServicer):
    """One open session per world and trading domain."""

    def __init__(self, writes: Writes, settings: DecisionSettings) -> None:
        super().__init__(writes)
        self._settings = settings

    @audited
    async def OpenSession(
        self, request: sessionservicepb.OpenSessionRequest, act: Act
    ) -> sessionservicepb.OpenSessionResponse:
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
            verdicts = decide_world(conn, world, self._settings, act.now)
            plan = session_plan(world, self._settings, verdicts, act.now)
            asked = SessionPlan(
                start or plan.start, preset or plan.data_preset, fingerprint or plan.dataset_fingerprint
            )
            session = open_session(world.world_id, domain, asked, act.now)
            sessions.save_session(conn, session)
            audit_write(conn, act, f"opened {session.session_id}")
            return session

        return sessionservicepb.OpenSessionResponse(session=session_to_proto(await self.writes.db.write(work)))

    async def GetSession(
        self, request: sessionservicepb.GetSessionRequest, context: object
    ) -> sessionservicepb.GetSessionResponse:
        caller, domain = caller_of(current_call()), _trading(request.execution_domain)

        def work(conn: Connection) -> Session:
            found = _find_open(conn, world_to_read(conn, caller, request.world_id).world_id, domain)
            if found is None:
                raise NotFound("E_SESSION_UNKNOWN", f"world {request.world_id} has no open {domain.value} session")
            return found

        return sessionservicepb.GetSessionResponse(session=session_to_proto(await self.writes.db.read(work)))

    @audited
    async def AdvanceWatermark(
        self, request: sessionservicepb.AdvanceWatermarkRequest, act: Act
    ) -> sessionservicepb.AdvanceWatermarkResponse:
        """Comes with every bar: only its refusals are audited."""
        watermark = instant_from_proto(request.watermark, "watermark")

        def work(conn: Connection) -> Session:
            session = _session_of(conn, act, request.session_id)
            advanced = advance(session, watermark)
            if advanced != session:
                sessions.save_session(conn, advanced)
            return advanced

        return sessionservicepb.AdvanceWatermarkResponse(session=session_to_proto(await self.writes.db.write(work)))

    async def AdvanceFeed(
        self, request: sessionservicepb.AdvanceFeedRequest, context: object
    ) -> sessionservicepb.AdvanceFeedResponse:
        """Comes with every bar of a preset, of no one world: it is not audited."""
        feed = Feed(
            optional_text(request.data_preset, "data_preset"),
            instant_from_proto(request.watermark, "watermark"),
            instant_from_proto(request.next_close, "next_close"),
        )
        stands = await self.writes.db.write(lambda conn: advance_feed(conn, feed))
        return sessionservicepb.AdvanceFeedResponse(watermark=instant_to_proto(stands.watermark))

    @audited
    async def CloseSession(
        self, request: sessionservicepb.CloseSessionRequest, act: Act
    ) -> sessionservicepb.CloseSessionResponse:
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

        return sessionservicepb.CloseSessionResponse(session=session_to_proto(await self.writes.db.write(work)))


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
