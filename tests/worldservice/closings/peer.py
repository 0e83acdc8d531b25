"""The closings of the brokerage peer: it says what is left as the test has set it."""

from __future__ import annotations

from qmtl.broker.v1 import position_closing_service_pb2 as positionclosingservicepb
from qmtl.broker.v1 import position_closing_service_pb2_grpc as positionclosingrpc
from qmtl.rpc.server.server import Server


class Closings(positionclosingrpc.PositionClosingServiceServicer):
    """Tells what is left of every closing, as the test has set it; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[positionclosingservicepb.ClosePositionsRequest] = []
        self.reply = positionclosingservicepb.ClosePositionsResponse()

    async def ClosePositions(
        self, request: positionclosingservicepb.ClosePositionsRequest, context: object
    ) -> positionclosingservicepb.ClosePositionsResponse:
        self.asked.append(request)
        return self.reply

    def add(self, server: Server) -> None:
        """Serve the one call."""
        service = positionclosingservicepb.DESCRIPTOR.services_by_name["PositionClosingService"]
        server.add(positionclosingrpc.add_PositionClosingServiceServicer_to_server, self, service)
