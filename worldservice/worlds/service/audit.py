"""RPC of the audit log."""

from sqlalchemy import Connection

from qmtl.core.paging import Page
from qmtl.rpc.auth.call import current_call
from qmtl.sql.database import Database
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc
from worldservice.worlds.acts import caller_of, world_to_read
from worldservice.worlds.domain.audit import AuditRow
from worldservice.worlds.store import audit
from worldservice.worlds.wire import audit_to_proto


class AuditServicer(auditrpc.AuditServiceServicer):
    """Reads only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ListAudit(
        self, request: auditservicepb.ListAuditRequest, context: object
    ) -> auditservicepb.ListAuditResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (int,))

        def work(conn: Connection) -> tuple[list[AuditRow], Page[tuple[int]]]:
            world_to_read(conn, caller, request.world_id)
            fitting = audit.audit_page(conn, request.world_id, page)
            return audit.list_audit(conn, request.world_id, fitting), fitting

        rows, fitting = await self._db.read(work)
        entries, info = page_of(rows, fitting, lambda row: (row.sequence,), audit_to_proto)
        return auditservicepb.ListAuditResponse(entries=entries, page=info)
