"""The accounts of the brokerage peer: it takes limits by the rule of revisions, and can be made to fail."""

from __future__ import annotations

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.core.errors import Conflict, QmtlError
from qmtl.rpc.server.server import Server


class Accounts(accountrpc.AccountServiceServicer):
    """Takes limits iff their revision is above the stored one, or equal with equal content."""

    def __init__(self) -> None:
        self.limits: dict[str, accountservicepb.SetAccountLimitsRequest] = {}
        self.error: QmtlError | None = None

    async def SetAccountLimits(
        self, request: accountservicepb.SetAccountLimitsRequest, context: object
    ) -> accountservicepb.SetAccountLimitsResponse:
        if self.error is not None:
            raise self.error
        stored = self.limits.get(request.account)
        if stored is not None and (
            request.revision < stored.revision or (request.revision == stored.revision and request != stored)
        ):
            raise Conflict("E_LIMITS_STALE", "the revision is old", metadata={"revision": str(stored.revision)})
        self.limits[request.account] = request
        return accountservicepb.SetAccountLimitsResponse()

    async def GetAccount(
        self, request: accountservicepb.GetAccountRequest, context: object
    ) -> accountservicepb.GetAccountResponse:
        stored = self.limits.get(request.account, accountservicepb.SetAccountLimitsRequest())
        return accountservicepb.GetAccountResponse(
            account=accountpb.Account(limits_revision=stored.revision, limits=stored.limits)
        )

    def add(self, server: Server) -> None:
        """Serve the two calls that worldservice makes."""
        service = accountservicepb.DESCRIPTOR.services_by_name["AccountService"]
        asked = {"SetAccountLimits", "GetAccount"}
        unused = {one.name: "nobody: a brokerage of the tests" for one in service.methods if one.name not in asked}
        server.add(accountrpc.add_AccountServiceServicer_to_server, self, service, unused)
