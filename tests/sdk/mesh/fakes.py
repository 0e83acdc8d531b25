"""The gateway's services in this process, for tests of the connected SDK: real messages, small state, breaks on demand.

A bar is played only once the follower confirmed the one before, and the venue (the simulated account of local
replays) sees it just before it is sent, or `venue_late` portfolios come before. `breaks` counts replies that are
lost after the work was done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
from google.protobuf.duration_pb2 import Duration

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import bar_from_doubles
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import EventKind
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import (
    AlreadyExists,
    NotFound,
    PermissionDenied,
    QmtlError,
    Unavailable,
)
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.sdk import Bars
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.wire.orders import is_open
from qmtl.wire.graph import dag_from_proto
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import session_pb2 as sessionpb
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc

STEP_NS = 900 * 10**9
CASH = Decimal(100_000)
FIELDS = ("open", "high", "low", "close", "volume")
PRESET = datasetspb.Preset(
    name="test.btc",
    dataset="ohlcv:test:BTC-USD:15m",
    replay=True,
    available=True,
    symbol="BTC-USD",
    interval=Duration(seconds=900),
)


class FakeMesh:
    """What all services know, and what is to go wrong. The session plays the bars from `session_from` on."""

    def __init__(self, bars: Bars, session_from: int) -> None:
        self.bars = bars
        self.start_ns = int(bars.close_ns[session_from - 1])
        self.breaks: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.live: dict[str, strategypb.Strategy] = {}
        self.evaluations: list[evaluationservicepb.EvaluateRequest] = []
        self.execution_model: decisionpb.ExecutionModel | None = None
        self.fetches: list[dataservicepb.FetchRequest] = []
        self.denials: list[orderpb.Denial] = []
        self.drop_after_bars: list[int] = []
        self.watermark_ns = self.start_ns
        self.confirmed_ns: dict[str, int] = {}
        self.followers: list[str] = []
        self.left: list[tuple[str, int]] = []
        self.venue_late = 0
        self.data_session_open = False
        self.venue = SimulatedAccount(spot(), {"USD": CASH})
        self.orders: dict[str, orderpb.OrderStatus] = {}
        self.repeated_orders = 0
        self.fills: list[orderpb.Fill] = []
        self.activation = activationpb.ActivationEnvelope(revision=1)
        self.watched = asyncio.Event()
        self.moved = asyncio.Event()
        self.resumed_from: list[str] = []
        self.stale_tokens = 0
        self.queues: dict[str, list[recordspb.RecordBatch]] = {}
        self.leases: dict[str, tuple[str, int]] = {}
        self.queue_error: QmtlError | None = None

    @property
    def client(self) -> Client:
        """Stubs that call this mesh."""
        gateway, world, data, brokerage = _Gateway(self), _World(self), _Data(self), _Brokerage(self)
        return Client(
            cast("strategyrpc.StrategyServiceAsyncStub", _stub(gateway, "WatchStrategy")),
            cast("eventrpc.EventServiceAsyncStub", _stub(gateway, "SubscribeEvents")),
            cast("tradingrpc.TradingServiceAsyncStub", _stub(gateway, "")),
            cast("queuerpc.QueueServiceAsyncStub", _stub(gateway, "ReadQueue")),
            cast("worldrpc.WorldServiceAsyncStub", _stub(world, "")),
            cast("policyrpc.PolicyServiceAsyncStub", _stub(world, "")),
            cast("bindingrpc.BindingServiceAsyncStub", _stub(world, "")),
            cast("evaluationrpc.EvaluationServiceAsyncStub", _stub(world, "")),
            cast("activationrpc.ActivationServiceAsyncStub", _stub(world, "")),
            cast("applyrpc.ApplyServiceAsyncStub", _stub(world, "")),
            cast("auditrpc.AuditServiceAsyncStub", _stub(world, "")),
            cast("accountrpc.AccountServiceAsyncStub", _stub(brokerage, "")),
            cast("orderrpc.OrderServiceAsyncStub", _stub(brokerage, "StreamOrderEvents")),
            cast("portfoliorpc.PortfolioServiceAsyncStub", _stub(brokerage, "StreamPortfolio")),
            cast("datarpc.DataServiceAsyncStub", _stub(data, "Fetch Subscribe")),
            cast("datasessionrpc.DataSessionServiceAsyncStub", _stub(data, "")),
            cast("cataloguerpc.CatalogueServiceAsyncStub", _stub(data, "")),
            cast("queuecataloguerpc.QueueCatalogueServiceAsyncStub", _stub(_QueueCatalogue(self), "")),
            "in this process",
        )

    def activate(self, strategy_id: str, *, active: bool = True, freeze: bool = False) -> None:
        """Set the strategy's long side, and open the world's session."""
        entry = activationpb.ActivationEntry(
            strategy_id=strategy_id,
            side=commonpb.SIDE_LONG,
            effective_mode=commonpb.EFFECTIVE_MODE_PAPER,
            weight=1.0,
            active=active,
            freeze=freeze,
        )
        session = sessionpb.Session(
            session_id="session-1",
            world_id="w",
            execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN,
            start=ns_to_proto(self.start_ns),
            data_preset=PRESET.name,
            state=sessionpb.SESSION_STATE_OPEN,
        )
        revision = self.activation.revision + 1
        self.activation = activationpb.ActivationEnvelope(revision=revision, entries=[entry], sessions=[session])

    def passed(self, name: str) -> None:
        """The work of a call is done: count it, and lose the reply if it is to be lost."""
        self.calls[name] += 1
        if self.breaks[name] > 0:
            self.breaks[name] -= 1
            raise Unavailable("E_TEST", f"the reply of {name} is lost on purpose")

    def show(self, events: list[OrderEvent]) -> None:
        """Take over what the venue did."""
        for event in events:
            record = self.venue.book.records[event.order_id]
            status = self.orders[record.order.client_order_id]
            if event.kind is EventKind.FILLED:
                self.fills.append(self._fill(status, event))
            instrument = self.venue.instrument(status.order.symbol)
            done = instrument.quantity_decimal(record.filled)
            status.cumulative_quantity = format_decimal(done)
            status.working_quantity = format_decimal(done + instrument.quantity_decimal(record.remaining))
            status.state = cast("orderpb.OrderState", orderpb.OrderState.Value(f"ORDER_STATE_{record.state.name}"))
            status.view = cast("orderpb.OrderView", orderpb.OrderView.Value(f"ORDER_VIEW_{record.public.name}"))

    def _fill(self, status: orderpb.OrderStatus, event: OrderEvent) -> orderpb.Fill:
        view = self.venue.fill_view(event)
        return orderpb.Fill(
            client_order_id=status.order.client_order_id,
            symbol=view.symbol,
            side=status.order.side,
            trade_id=view.trade_id,
            quantity=format_decimal(view.quantity),
            price=format_decimal(view.price),
            fee=format_decimal(view.fee),
            fee_currency=view.fee_currency,
            venue_time=ns_to_proto(view.at_ns),
            account_fill_number=len(self.fills) + 1,
        )


class Replies:
    """A server stream as a stub hands it out: pulled reply by reply, cancelled at the end."""

    def __init__(self, replies: AsyncIterator[Any]) -> None:
        self._replies = replies

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._replies

    def cancel(self) -> bool:
        return True


class _Gateway:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def SubmitStrategy(
        self, request: strategyservicepb.SubmitStrategyRequest
    ) -> strategyservicepb.SubmitStrategyResponse:
        dag, live = dag_from_proto(request.dag), self.mesh.live
        if dag.digest in live and live[dag.digest].meta.labels["request"] != request.request_id:
            raise AlreadyExists("E_DUPLICATE", "live", metadata={"strategy_id": live[dag.digest].strategy_id})
        if dag.digest not in live:
            live[dag.digest] = self._strategy(request, dag.node_ids)
        self.mesh.passed("SubmitStrategy")
        strategy_id = live[dag.digest].strategy_id
        queued = strategypb.Strategy(strategy_id=strategy_id, state=controlpb.STRATEGY_STATE_QUEUED)
        return strategyservicepb.SubmitStrategyResponse(strategy=queued)

    def _strategy(
        self, request: strategyservicepb.SubmitStrategyRequest, node_ids: tuple[str, ...]
    ) -> strategypb.Strategy:
        known = {item.node_id for other in self.mesh.live.values() for item in other.outcomes[0].assignments}
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
        strategy.outcomes.append(strategypb.WorldOutcome(world_id="w", context=context, assignments=found))
        return strategy

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
        return eventservicepb.CreateEventStreamResponse(stream=eventpb.EventStreamDescriptor(token="t"))

    async def SubscribeEvents(
        self, request: eventservicepb.SubscribeEventsRequest
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

    async def SubmitOrder(self, request: tradingservicepb.SubmitOrderRequest) -> tradingservicepb.SubmitOrderResponse:
        mesh, order = self.mesh, request.order
        known = mesh.orders.get(order.client_order_id)
        if known is not None:
            assert known.order == order, "one id, two orders"
            mesh.repeated_orders += 1
            return tradingservicepb.SubmitOrderResponse(status=known, duplicate=True)
        status = orderpb.OrderStatus(order=order, state=orderpb.ORDER_STATE_DENIED, view=orderpb.ORDER_VIEW_DENIED)
        mesh.orders[order.client_order_id] = status
        if mesh.denials:
            status.denial = mesh.denials.pop(0)
        else:
            side = Side.BUY if order.side == orderpb.ORDER_SIDE_BUY else Side.SELL
            decided_ns, quantity = ns_from_proto(order.decided_at, "order.decided_at"), Decimal(order.quantity)
            mesh.show(mesh.venue.market(order.symbol, side, quantity, decided_ns, order.client_order_id))
        mesh.passed("SubmitOrder")
        return tradingservicepb.SubmitOrderResponse(status=status)

    async def CancelOrder(self, request: tradingservicepb.CancelOrderRequest) -> tradingservicepb.CancelOrderResponse:
        event = self.mesh.venue.cancel(request.key.client_order_id, self.mesh.watermark_ns)
        self.mesh.show([event] if event else [])
        self.mesh.passed("CancelOrder")
        return tradingservicepb.CancelOrderResponse(status=self.mesh.orders[request.key.client_order_id])

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
        lease = queueservicepb.ProducerLease(epoch=epoch, acquired=holder in ("", request.run_id))
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
        for batch in self.mesh.queues[request.compute_key]:
            yield queueservicepb.ReadQueueResponse(batch=batch)


class _QueueCatalogue:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def GetQueue(
        self, request: queuecatalogueservicepb.GetQueueRequest
    ) -> queuecatalogueservicepb.GetQueueResponse:
        queue, written = queuepb.Queue(compute_key=request.compute_key), self.mesh.queues.get(request.compute_key)
        if written:
            queue.last_bucket.CopyFrom(written[-1].end_time)
        return queuecatalogueservicepb.GetQueueResponse(queue=queue)


class _World:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def GetWorld(self, request: worldservicepb.GetWorldRequest) -> worldservicepb.GetWorldResponse:
        if request.world_id != "w":
            raise NotFound("E_WORLD_UNKNOWN", f"no world {request.world_id}")
        return worldservicepb.GetWorldResponse(world=worldpb.World(world_id="w", data_presets=[PRESET.name]))

    async def Evaluate(self, request: evaluationservicepb.EvaluateRequest) -> evaluationservicepb.EvaluateResponse:
        kept = evaluationservicepb.EvaluateRequest()
        kept.CopyFrom(request)
        self.mesh.evaluations.append(kept)
        self.mesh.passed("Evaluate")
        report = evaluationpb.EvaluationReport(summary=evaluationpb.EVALUATION_SUMMARY_PASS)
        return evaluationservicepb.EvaluateResponse(
            run=evaluationpb.EvaluationRun(run_id=request.run_id, report=report)
        )

    async def Decide(self, request: evaluationservicepb.DecideRequest) -> evaluationservicepb.DecideResponse:
        mode = commonpb.EFFECTIVE_MODE_COMPUTE_ONLY
        return evaluationservicepb.DecideResponse(
            decision=decisionpb.DecisionEnvelope(
                world_id="w", effective_mode=mode, execution_model=self.mesh.execution_model
            )
        )

    async def GetActivation(
        self, request: activationservicepb.GetActivationRequest
    ) -> activationservicepb.GetActivationResponse:
        return activationservicepb.GetActivationResponse(activation=self.mesh.activation)


class _Data:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def ListPresets(
        self, request: catalogueservicepb.ListPresetsRequest
    ) -> catalogueservicepb.ListPresetsResponse:
        away = datasetspb.Preset(name="test.away", message="not installed")
        return catalogueservicepb.ListPresetsResponse(presets=[PRESET, away])

    async def Fetch(self, request: dataservicepb.FetchRequest) -> AsyncIterator[dataservicepb.FetchResponse]:
        self.mesh.fetches.append(request)
        end_ns = ns_from_proto(request.range.end, "range.end") if request.range.HasField("end") else None
        bars = self.mesh.bars.between(None, end_ns)
        middle = int(bars.open_ns[len(bars) // 2])
        for part in (bars.between(None, middle), bars.between(middle)):
            yield dataservicepb.FetchResponse(arrow_ipc=ipc(part))
        self.mesh.passed("Fetch")
        delivered = commonpb.TimeRange(start=ns_to_proto(int(bars.open_ns[0])), end=ns_to_proto(int(bars.close_ns[-1])))
        metadata = dataservicepb.FetchMetadata(
            dataset=PRESET.dataset, rows=len(bars), delivered=delivered, coverage_ratio=1.0
        )
        metadata.dataset_fingerprint = "sha256:" + "ab" * 32
        yield dataservicepb.FetchResponse(metadata=metadata)

    async def GetDataSession(
        self, request: datasessionservicepb.GetDataSessionRequest
    ) -> datasessionservicepb.GetDataSessionResponse:
        if not self.mesh.data_session_open:
            raise NotFound("E_DATA_SESSION_UNKNOWN", f"no session {request.session_id}")
        session = datasessionspb.DataSession(
            session_id=request.session_id,
            start_time=ns_to_proto(self.mesh.start_ns),
            end_time=ns_to_proto(int(self.mesh.bars.close_ns[-1])),
            watermark=ns_to_proto(self.mesh.watermark_ns),
        )
        return datasessionservicepb.GetDataSessionResponse(session=session)

    async def OpenDataSession(
        self, request: datasessionservicepb.OpenDataSessionRequest
    ) -> datasessionservicepb.OpenDataSessionResponse:
        self.mesh.data_session_open = True
        self.mesh.followers = list(request.followers)
        return datasessionservicepb.OpenDataSessionResponse()

    async def ConfirmBars(
        self, request: datasessionservicepb.ConfirmBarsRequest
    ) -> datasessionservicepb.ConfirmBarsResponse:
        mesh, through_ns = self.mesh, ns_from_proto(request.through, "through")
        if request.follower not in mesh.confirmed_ns:
            raise NotFound("E_FOLLOWER_UNKNOWN", f"no follower {request.follower}")
        assert through_ns <= mesh.watermark_ns, "confirmed before it was played"
        mesh.confirmed_ns[request.follower] = max(mesh.confirmed_ns[request.follower], through_ns)
        if request.leave:
            mesh.left.append((request.follower, mesh.confirmed_ns.pop(request.follower)))
        mesh.passed("ConfirmBars")
        return datasessionservicepb.ConfirmBarsResponse(watermark=ns_to_proto(mesh.watermark_ns))

    async def Subscribe(
        self, request: dataservicepb.SubscribeRequest
    ) -> AsyncIterator[dataservicepb.SubscribeResponse]:
        asked_ns = ns_from_proto(request.start_time, "start_time")
        again = self.mesh.calls["Subscribe"] > 0 and asked_ns > self.mesh.start_ns
        self.mesh.calls["Subscribe"] += 1
        known_ns = self.mesh.confirmed_ns.get(request.follower, 0)
        self.mesh.confirmed_ns[request.follower] = max(known_ns, asked_ns)
        session = self.mesh.bars.between(asked_ns - STEP_NS if again else asked_ns)  # taken up again: one bar twice
        drop_at = self.mesh.drop_after_bars.pop(0) if self.mesh.drop_after_bars else -1
        for sent, (open_ns, row) in enumerate(zip(session.open_ns.tolist(), session.values.tolist(), strict=True)):
            if sent == drop_at:
                raise Unavailable("E_TEST", "the stream of bars is broken on purpose")
            self._step(open_ns, row, request.follower)
            bar = barspb.Bar(open_time=ns_to_proto(open_ns), close_time=ns_to_proto(open_ns + STEP_NS))
            bar.open, bar.high, bar.low, bar.close, bar.volume = row
            yield dataservicepb.SubscribeResponse(bars=[bar], watermark=bar.close_time)
        yield dataservicepb.SubscribeResponse(end_of_session=True, watermark=ns_to_proto(self.mesh.watermark_ns))

    def _step(self, open_ns: int, row: list[float], follower: str) -> None:
        if open_ns + STEP_NS > self.mesh.watermark_ns:
            assert self.mesh.confirmed_ns[follower] == self.mesh.watermark_ns, "played on before the bar was confirmed"
            self.mesh.watermark_ns = open_ns + STEP_NS
            instrument = self.mesh.venue.instrument("BTC-USD")
            ohlcv = (row[0], row[1], row[2], row[3], row[4])
            self.mesh.show(self.mesh.venue.on_bar("BTC-USD", bar_from_doubles(instrument, open_ns, STEP_NS, ohlcv)))
            moved, self.mesh.moved = self.mesh.moved, asyncio.Event()
            moved.set()


class _Brokerage:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    def _account(self, name: str) -> accountpb.Account:
        return accountpb.Account(account=name, base_currency="USD", starting_cash=format_decimal(CASH))

    async def OpenPaperAccount(
        self, request: accountservicepb.OpenPaperAccountRequest
    ) -> accountservicepb.OpenPaperAccountResponse:
        self.name = request.account
        self.mesh.passed("OpenPaperAccount")
        return accountservicepb.OpenPaperAccountResponse(account=self._account(request.account))

    async def GetPortfolio(
        self, request: portfolioservicepb.GetPortfolioRequest
    ) -> portfolioservicepb.GetPortfolioResponse:
        self.mesh.passed("GetPortfolio")
        return portfolioservicepb.GetPortfolioResponse(portfolio=self._portfolio())

    async def StreamPortfolio(
        self, request: portfolioservicepb.StreamPortfolioRequest
    ) -> AsyncIterator[portfolioservicepb.StreamPortfolioResponse]:
        while True:
            moved = self.mesh.moved
            before = portfoliopb.Portfolio(equity="1", time=ns_to_proto(self.mesh.watermark_ns - 1))
            while self.mesh.venue_late > 0:
                self.mesh.venue_late -= 1
                yield portfolioservicepb.StreamPortfolioResponse(portfolio=before)
            self.mesh.passed("StreamPortfolio")
            yield portfolioservicepb.StreamPortfolioResponse(portfolio=self._portfolio())
            await moved.wait()

    def _portfolio(self) -> portfoliopb.Portfolio:
        quantity = format_decimal(self.mesh.venue.position("BTC-USD"))
        strategies = {status.order.strategy_id for status in self.mesh.orders.values()}
        return portfoliopb.Portfolio(
            equity=format_decimal(self.mesh.venue.equity("USD")),
            time=ns_to_proto(self.mesh.watermark_ns),
            positions=[portfoliopb.Position(strategy_id=s, symbol="BTC-USD", quantity=quantity) for s in strategies],
        )

    async def ListOrders(self, request: orderservicepb.ListOrdersRequest) -> orderservicepb.ListOrdersResponse:
        """Two orders a page, newest first."""
        self.mesh.calls["ListOrders open" if request.open_only else "ListOrders all"] += 1
        first = int(request.page.page_token or 0)
        statuses = [status for status in self.mesh.orders.values() if not request.open_only or is_open(status)][::-1]
        more = str(first + 2) if first + 2 < len(statuses) else ""
        page = commonpb.PageInfo(next_page_token=more)
        return orderservicepb.ListOrdersResponse(statuses=statuses[first : first + 2], page=page)

    async def ListFills(self, request: orderservicepb.ListFillsRequest) -> orderservicepb.ListFillsResponse:
        return orderservicepb.ListFillsResponse(fills=self.mesh.fills)

    async def StreamOrderEvents(
        self, request: orderservicepb.StreamOrderEventsRequest
    ) -> AsyncIterator[orderservicepb.StreamOrderEventsResponse]:
        events = [
            orderpb.OrderEvent(fill=fill, account_event_number=fill.account_fill_number) for fill in self.mesh.fills
        ]
        fresh = [event for event in events if event.account_event_number > request.after_account_event_number]
        yield orderservicepb.StreamOrderEventsResponse(events=orderservicepb.OrderEvents(events=fresh))


def ipc(bars: Bars) -> bytes:
    """Bars as one Arrow IPC stream."""
    columns = {name: bars.values[:, i] for i, name in enumerate(FIELDS)}
    table = pa.table({"open_time": pa.array(bars.open_ns).cast(pa.timestamp("ns", "UTC")), **columns})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return cast(bytes, sink.getvalue().to_pybytes())


def _stub(service: object, streams: str) -> SimpleNamespace:
    """A service's methods as a stub has them: plain calls awaited, streams iterated and cancelled."""
    calls: dict[str, Callable[..., Awaitable[Any] | Replies]] = {}
    for name, method in vars(type(service)).items():
        if name[0].isupper():
            bound = method.__get__(service)
            calls[name] = (lambda request, b=bound: Replies(b(request))) if name in streams.split() else bound
    return SimpleNamespace(**calls)
