"""What a mesh holds at the end, asked for by the names the ledger knows."""

from __future__ import annotations

import asyncio

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from tests.faults.ledger import Held
from tests.faults.traffic import BAR, Traffic
from tests.mesh.trading_mesh import NOW

PAGE = 1000


async def holdings(traffic: Traffic) -> Held:
    """Every submission is asked again under its request id: the answer must be the strategy it was told then."""
    again = [each.name for each in traffic.ledger.of("submission")]
    return Held(
        submissions=[(name, await traffic.submitted(name, int(name.removeprefix("r-")))) for name in again],
        strategies=await _strategies(traffic),
        orders=await _orders(traffic),
        fills=await _fills(traffic),
        applies=await _applies(traffic),
        buckets=await _buckets(traffic),
    )


async def _strategies(traffic: Traffic) -> list[str]:
    found, token = [], ""
    while True:
        page = commonpb.PageRequest(page_size=PAGE, page_token=token)
        request = strategyservicepb.ListStrategiesRequest(world_id=traffic.trading.world, page=page)
        reply = await traffic.trading.client.strategies.ListStrategies(request)
        found += [each.strategy_id for each in reply.strategies if each.strategy_id != traffic.trading.strategy_id]
        token = reply.page.next_page_token
        if not token:
            return found


async def _orders(traffic: Traffic) -> list[tuple[str, str]]:
    found, token = [], ""
    while True:
        page = commonpb.PageRequest(page_size=PAGE, page_token=token)
        request = orderservicepb.ListOrdersRequest(account=traffic.trading.world, page=page)
        reply = await traffic.trading.client.orders.ListOrders(request)
        found += [(each.order.client_order_id, orderpb.OrderState.Name(each.state)) for each in reply.statuses]
        token = reply.page.next_page_token
        if not token:
            return found


async def _fills(traffic: Traffic) -> list[tuple[str, str]]:
    found, token = [], ""
    while True:
        page = commonpb.PageRequest(page_size=PAGE, page_token=token)
        request = orderservicepb.ListFillsRequest(account=traffic.trading.world, page=page)
        reply = await traffic.trading.client.orders.ListFills(request)
        found += [(each.client_order_id, each.trade_id) for each in reply.fills]
        token = reply.page.next_page_token
        if not token:
            return found


async def _applies(traffic: Traffic) -> list[tuple[str, str]]:
    runs = [await traffic.trading.run(each.name) for each in traffic.ledger.of("apply")]
    return [(run.run_id, applypb.ApplyState.Name(run.state)) for run in runs if run is not None]


async def _buckets(traffic: Traffic) -> list[str]:
    """Every bucket of the producer's queue, in order."""
    key, found = await traffic.queue_of_the_node(), list[str]()
    last = max((int(each.name) for each in traffic.ledger.of("record")), default=-1)
    request = queueservicepb.ReadQueueRequest(compute_key=key, world_id=traffic.trading.world, start_queue_sequence=1)
    call = traffic.trading.client.queues.ReadQueue(request)
    try:
        async with asyncio.timeout(60):
            async for reply in call:
                begin, end = reply.batch.start_time, reply.batch.end_time
                first, until = ((each.ToDatetime(NOW.tzinfo) - NOW) // BAR for each in (begin, end))
                found += [str(bucket) for bucket in range(first, until + 1)]
                if until >= last:
                    break
    finally:
        call.cancel()
    return found
