"""PositionClosingService: worldservice asks for the next step of a closing until nothing is left."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial

from brokerage.audit import calling_actor
from brokerage.fences.wire import ADDING, names_to_proto
from brokerage.market.context import MarketContext
from brokerage.orders.closing.attempts import Closing
from brokerage.orders.closing.step import Left, accounts_of, take_step
from qmtl.broker.v1 import position_closing_service_pb2 as positionclosingservicepb
from qmtl.broker.v1 import position_closing_service_pb2_grpc as positionclosingrpc
from qmtl.core.clock import Clock
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import refused
from qmtl.core.instants import to_ns
from qmtl.core.modes import ExecutionDomain
from qmtl.rpc.auth.call import require_world
from qmtl.sql.database import Database
from qmtl.wire.contexts import DOMAINS
from qmtl.wire.fields import known_enum, require_text

SLIPPAGE_MAX = Decimal(1000)
_CLOSING_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")


class PositionClosingService(positionclosingrpc.PositionClosingServiceServicer):
    """Takes steps of closings: one transaction an account, so that an account whose rows wait holds up no other's."""

    def __init__(self, db: Database, market: MarketContext, clock: Clock) -> None:
        self._db = db
        self._market = market
        self._clock = clock

    async def ClosePositions(
        self, request: positionclosingservicepb.ClosePositionsRequest, context: object
    ) -> positionclosingservicepb.ClosePositionsResponse:
        closing, actor = closing_from_proto(request), calling_actor()
        require_world(closing.world_id)
        reply = positionclosingservicepb.ClosePositionsResponse()
        for name in await self._db.read(lambda conn: accounts_of(conn, closing)):
            now_ns = to_ns(self._clock.now())
            step = partial(take_step, market=self._market, closing=closing, name=name, actor=actor, now_ns=now_ns)
            standing = await self._db.write(step)
            reply.left.extend(left_to_proto(one) for one in standing.left)
            reply.adding.extend(names_to_proto(standing.adding))
        return reply


def closing_from_proto(request: positionclosingservicepb.ClosePositionsRequest) -> Closing:
    """Raises InvalidRequest (E_ENUM, E_FIELD, E_NAME, E_DECIMAL)."""
    domain = known_enum(DOMAINS, request.execution_domain, "execution_domain")
    if domain not in (ExecutionDomain.LIVE, ExecutionDomain.DRYRUN):
        raise refused("E_ENUM", "execution_domain", domain.value, "LIVE or DRYRUN")
    if not _CLOSING_ID.fullmatch(request.closing_id):
        raise refused("E_FIELD", "closing_id", repr(request.closing_id[:50]), "1 to 40 of A-Z a-z 0-9 . _ -")
    slippage = parse_decimal(request.slippage_bps, "slippage_bps")
    if not 0 < slippage <= SLIPPAGE_MAX:
        raise refused("E_FIELD", "slippage_bps", request.slippage_bps, f"above 0 and at most {SLIPPAGE_MAX}")
    return Closing(
        require_text(request.world_id, "world_id", 128),
        require_text(request.strategy_id, "strategy_id", 128),
        known_enum(ADDING, request.side, "side"),
        domain,
        request.closing_id,
        slippage,
    )


def left_to_proto(left: Left) -> positionclosingservicepb.PositionLeft:
    """A position that is not closed, as it is told."""
    return positionclosingservicepb.PositionLeft(
        account=left.account,
        symbol=left.symbol,
        quantity=format_decimal(left.quantity),
        client_order_id=left.attempts[-1].order.client_order_id if left.attempts else "",
        attempts=len(left.attempts),
        reason=left.reason,
    )
