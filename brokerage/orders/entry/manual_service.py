"""ManualOrderService: orders of people, for who operates an account or all of its worlds."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts.access import AccountAccess
from brokerage.audit import calling_actor
from brokerage.domain.orders.order import OPERATOR
from brokerage.domain.orders.stored import StoredOrder
from brokerage.market.context import MarketContext
from brokerage.orders.entry.manual import Act, Flatten, cancel_by_hand, flatten, submit_by_hand
from brokerage.orders.wire import name_from_proto, order_from_proto, status_to_proto
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import manual_order_service_pb2_grpc as manualorderrpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.clock import Clock
from qmtl.core.errors import refused
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database
from qmtl.wire.fields import optional_text, require_text
from qmtl.wire.paging import parts_of

REASON_MAX = 200
REQUEST_MAX = 64


class ManualOrderService(manualorderrpc.ManualOrderServiceServicer):
    """Takes orders of people."""

    def __init__(self, db: Database, market: MarketContext, access: AccountAccess, clock: Clock) -> None:
        self._db = db
        self._market = market
        self._access = access
        self._clock = clock

    async def SubmitManualOrder(
        self, request: manualorderservicepb.SubmitManualOrderRequest, context: object
    ) -> manualorderservicepb.SubmitManualOrderResponse:
        order = order_from_proto(_owned(request.order))
        named = () if order.owner.in_no_world else (order.owner.world_id,)
        act = self._act(request.reason)
        await self._access.operable(order.owner.account, *named)
        stored, known = await self._db.write(lambda conn: submit_by_hand(conn, self._market, order, act))
        return manualorderservicepb.SubmitManualOrderResponse(status=status_to_proto(stored), duplicate=known)

    async def CancelManualOrder(
        self, request: manualorderservicepb.CancelManualOrderRequest, context: object
    ) -> manualorderservicepb.CancelManualOrderResponse:
        name, now_ns, actor = name_from_proto(request.key), to_ns(self._clock.now()), calling_actor()
        if name.owner.strategy_id != OPERATOR:
            raise refused("E_FIELD", "key.strategy_id", name.owner.strategy_id, OPERATOR)
        await self._access.operable(name.owner.account)
        stored = await self._db.write(lambda conn: cancel_by_hand(conn, self._market, name, actor, now_ns))
        return manualorderservicepb.CancelManualOrderResponse(status=status_to_proto(stored))

    async def FlattenPositions(
        self, request: manualorderservicepb.FlattenPositionsRequest, context: object
    ) -> manualorderservicepb.FlattenPositionsResponse:
        wanted = Flatten(
            require_text(request.account, "account", REASON_MAX),
            optional_text(request.strategy_id, "strategy_id"),
            require_text(request.request_id, "request_id", REQUEST_MAX),
            request.despite_fence,
        )
        act = self._act(request.reason)
        await self._access.operable(wanted.account)

        def work(conn: Connection) -> list[StoredOrder]:
            return flatten(conn, self._market, wanted, act)

        stored = await self._db.write(work)
        shown, _ = next(parts_of(map(status_to_proto, stored)))
        return manualorderservicepb.FlattenPositionsResponse(statuses=shown, orders=len(stored))

    def _act(self, reason: str) -> Act:
        return Act(calling_actor(), require_text(reason, "reason", REASON_MAX), to_ns(self._clock.now()))


def _owned(order: orderpb.Order) -> orderpb.Order:
    """The order as the operator's: of the world it names, or of none. Raises InvalidRequest (E_FIELD)."""
    if order.strategy_id not in ("", OPERATOR):
        raise refused("E_FIELD", "order.strategy_id", order.strategy_id, f"empty or {OPERATOR}")
    made = orderpb.Order()
    made.CopyFrom(order)
    made.strategy_id = OPERATOR
    made.world_id = order.world_id or OPERATOR
    return made
