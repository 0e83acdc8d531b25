"""The gateway as the SDK sees it: submissions, events, orders, queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderType
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import (
    AlreadyExists,
    PermissionDenied,
)
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.wire.graph import dag_from_proto
from qmtl.wire.instants import ns_from_proto, ns_to_proto

if TYPE_CHECKING:
    from tests.sdk.mesh.fakes import FakeMesh


class FakeGateway:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def SubmitStrategy(
        self, chunks: Iterable[strategyservicepb.SubmitStrategyRequest]
    ) -> strategyservicepb.SubmitStrategyResponse:
        request = strategypb.StrategySubmission.FromString(b"".join(message.chunk for message in chunks))
        dag, live = dag_from_proto(request.dag), self.mesh.live
        if dag.digest in live and live[dag.digest].meta.labels["request"] != request.request_id:
            raise AlreadyExists("E_DUPLICATE", "live", metadata={"strategy_id": live[dag.digest].strategy_id})
        if dag.digest not in live:
            live[dag.digest] = self._strategy(request, dag.node_ids)
        self.mesh.passed("SubmitStrategy")
        strategy_id = live[dag.digest].strategy_id
        queued = strategypb.Strategy(strategy_id=strategy_id, state=controlpb.STRATEGY_STATE_QUEUED)
        return strategyservicepb.SubmitStrategyResponse(strategy=queued)

    async def CancelStrategy(
        self, request: strategyservicepb.CancelStrategyRequest
    ) -> strategyservicepb.CancelStrategyResponse:
        self.mesh.passed("CancelStrategy")
        self.mesh.canceled[request.strategy_id] = request.message
        return strategyservicepb.CancelStrategyResponse()

    async def ListStrategies(
        self, request: strategyservicepb.ListStrategiesRequest
    ) -> strategyservicepb.ListStrategiesResponse:
        found = [one for one in self.mesh.live.values() if one.strategy_id not in self.mesh.canceled]
        return strategyservicepb.ListStrategiesResponse(strategies=found)

    def _strategy(self, request: strategypb.StrategySubmission, node_ids: tuple[str, ...]) -> strategypb.Strategy:
        known = {item.node_id for found in self.mesh.assignments.values() for item in found}
        names = {node.node_id: node.name for node in request.dag.nodes}
        found = [diffpb.QueueAssignment(node_id=key, name=names[key], compute_key=key) for key in node_ids]
        for item in found:
            item.disposition = diffpb.DISPOSITION_REUSED if item.node_id in known else diffpb.DISPOSITION_NEW
        strategy = strategypb.Strategy(
            strategy_id=f"s-{len(self.mesh.live) + 1}", meta=request.meta, state=controlpb.STRATEGY_STATE_COMPLETED
        )
        strategy.meta.labels["request"] = request.request_id
        context = commonpb.ComputeContext(
            world_id="w", execution_domain=commonpb.EXECUTION_DOMAIN_BACKTEST, as_of=ns_to_proto(self.mesh.start_ns)
        )
        strategy.outcomes.append(strategypb.WorldOutcome(world_id="w", context=context))
        self.mesh.assignments[strategy.strategy_id] = found
        return strategy

    async def ListAssignments(
        self, request: strategyservicepb.ListAssignmentsRequest
    ) -> strategyservicepb.ListAssignmentsResponse:
        found = self.mesh.assignments[request.strategy_id]
        return strategyservicepb.ListAssignmentsResponse(assignments=found)

    async def WatchStrategy(
        self, request: strategyservicepb.WatchStrategyRequest
    ) -> AsyncIterator[strategyservicepb.WatchStrategyResponse]:
        self.mesh.passed("WatchStrategy")
        for strategy in self.mesh.live.values():
            if strategy.strategy_id == request.strategy_id:
                yield strategyservicepb.WatchStrategyResponse(strategy=strategy)

    async def CreateEventStream(
        self, request: eventservicepb.CreateEventStreamRequest
    ) -> eventservicepb.CreateEventStreamResponse:
        return eventservicepb.CreateEventStreamResponse(stream=eventpb.EventStreamDescriptor(stream_token="t"))

    async def SubscribeEvents(
        self, request: eventservicepb.SubscribeEventsRequest, metadata: object = ()
    ) -> AsyncIterator[eventservicepb.SubscribeEventsResponse]:
        self.mesh.resumed_from.append(request.resume_token)
        if self.mesh.stale_tokens < 0 or (self.mesh.stale_tokens > 0 and request.resume_token):
            self.mesh.stale_tokens -= 1
            raise PermissionDenied("E_RESUME_SCOPE", "the resume token is of another scope")
        updated = controlpb.ActivationUpdated(activation=self.mesh.activation)
        self.mesh.watched.set()
        snapshot = eventpb.Snapshot(states=[controlpb.ControlEvent(activation_updated=updated)])
        yield eventservicepb.SubscribeEventsResponse(frame=eventpb.Frame(snapshot=snapshot))
        notice = eventpb.Notice(kind=eventpb.NOTICE_KIND_GOING_AWAY, resume_token="r")
        yield eventservicepb.SubscribeEventsResponse(frame=eventpb.Frame(notice=notice))

    async def SubmitOrder(
        self, request: tradingservicepb.SubmitOrderRequest, metadata: object = ()
    ) -> tradingservicepb.SubmitOrderResponse:
        mesh, order = self.mesh, request.order
        mesh.consents.append(metadata)
        known = mesh.orders.get(order.client_order_id)
        if known is not None:
            assert known.order == order, "one id, two orders"
            mesh.repeated_orders += 1
            return tradingservicepb.SubmitOrderResponse(status=known, duplicate=True)
        status = orderpb.OrderStatus(order=order, state=orderpb.ORDER_STATE_DENIED, view=orderpb.ORDER_VIEW_DENIED)
        mesh.orders[order.client_order_id] = status
        mesh.traders.add(order.strategy_id)
        if mesh.denials:
            status.denial = mesh.denials.pop(0)
        else:
            side = Side.BUY if order.side == orderpb.ORDER_SIDE_BUY else Side.SELL
            decided_ns, quantity = ns_from_proto(order.decided_at, "order.decided_at"), Decimal(order.quantity)
            sent = Order(mesh.venue.owner, order.client_order_id, order.symbol, side, quantity)
            if order.limit_price:
                limit = Decimal(order.limit_price)
                sent = replace(sent, type=OrderType.LIMIT, limit_price=limit, post_only=order.post_only)
            mesh.show(mesh.venue.submit(sent, decided_ns))
        mesh.passed("SubmitOrder")
        return tradingservicepb.SubmitOrderResponse(status=status)

    async def CancelOrder(self, request: tradingservicepb.CancelOrderRequest) -> tradingservicepb.CancelOrderResponse:
        name = request.key.client_order_id
        event = None if self.mesh.cancels_pend else self.mesh.venue.cancel(name, self.mesh.watermark_ns)
        self.mesh.show([event] if event else [])
        self.mesh.passed("CancelOrder")
        return tradingservicepb.CancelOrderResponse(status=self.mesh.orders[name])

    async def AcquireProducer(
        self, request: queueservicepb.AcquireProducerRequest
    ) -> queueservicepb.AcquireProducerResponse:
        self.mesh.passed("AcquireProducer")
        if self.mesh.queue_error is not None:
            raise self.mesh.queue_error
        holder, epoch = self.mesh.leases.get(request.compute_key, ("", 0))
        if holder in ("", request.run_id):
            epoch += not holder
            self.mesh.leases[request.compute_key] = request.run_id, epoch
        else:  # nobody keeps it: asked once more, it has run out
            self.mesh.leases[request.compute_key] = "", epoch
        lease = queueservicepb.ProducerLease(lease_epoch=epoch, acquired=holder in ("", request.run_id))
        return queueservicepb.AcquireProducerResponse(lease=lease)

    async def PublishRecords(
        self, requests: AsyncIterator[queueservicepb.PublishRecordsRequest]
    ) -> queueservicepb.PublishRecordsResponse:
        async for request in requests:
            batch, queue = request.batch, self.mesh.queues.setdefault(request.batch.compute_key, [])
            assert self.mesh.leases[batch.compute_key][1] == batch.writer_epoch, "written without the lease"
            if batch not in queue:
                assert not queue or batch.start_time.ToNanoseconds() > queue[-1].end_time.ToNanoseconds()
                queue.append(batch)
        self.mesh.passed("PublishRecords")
        return queueservicepb.PublishRecordsResponse()

    async def ReadQueue(
        self, request: queueservicepb.ReadQueueRequest
    ) -> AsyncIterator[queueservicepb.ReadQueueResponse]:
        if self.mesh.silent_queues:
            await asyncio.Event().wait()
        for place, batch in enumerate(self.mesh.queues[request.compute_key], 1):
            if place >= request.start_queue_sequence:
                yield queueservicepb.ReadQueueResponse(batch=batch, queue_sequence=place)
