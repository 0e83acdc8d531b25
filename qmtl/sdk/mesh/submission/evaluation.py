"""Reports of runs as a world's evaluation asks for them."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.identity.canonical import digest
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.port import SubmitList
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.mesh.history import Fetched
from qmtl.sdk.mesh.wire.orders import list_to_proto, order_to_proto
from qmtl.sdk.strategy.quotes import QuoteRule
from qmtl.sdk.strategy.rules import TradeRule
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import session_pb2 as sessionpb

CROSS_CONTEXT_HITS = "cross_context_cache_hits"


def backtest_report(
    world: str, strategy_id: str, data: Fetched, metrics: dict[str, float]
) -> evaluationservicepb.EvaluateRequest:
    """The report of one replay; the same data of the same strategy is the same run."""
    delivered = data.metadata.delivered
    fingerprint = data.metadata.dataset_fingerprint
    name, end_ns = fingerprint.rpartition(":")[2], ns_from_proto(delivered.end, "delivered.end")
    return evaluationservicepb.EvaluateRequest(
        world_id=world,
        strategy_id=strategy_id,
        run_id=f"backtest-{name[:16]}-{end_ns // NS_PER_S}",
        stage=bindingpb.STAGE_BACKTEST,
        metrics=[evaluationpb.Metric(name=name, value=value) for name, value in sorted(metrics.items())],
        dataset_fingerprint=fingerprint,
        data_start=delivered.start,
        data_end=delivered.end,
        coverage_ratio=data.metadata.coverage_ratio,
    )


def order_list(
    world: str, strategy_id: str, data: Fetched, done: RunResult, rules: Iterable[TradeRule | QuoteRule]
) -> evaluationpb.OrderList | None:
    """All that a replay sent, over the sealed data that it traded on: what the world's own replay of it needs.

    None: some of that data is not sealed.
    """
    kinds = {(rule.symbol, rule.command.interval_s) for rule in rules}
    pairs = zip(data.bars, data.sealed, strict=True)
    traded = [(bars, sealed) for bars, sealed in pairs if (bars.symbol, bars.interval_s) in kinds and len(bars)]
    if not traded or not all(sealed for _, sealed in traded):
        return None
    owner = Owner("replay", world, strategy_id)
    orders: list[orderpb.Order] = []
    for one in done.orders:
        if isinstance(one, SubmitList):
            orders += list_to_proto(owner, one.list_id, one.orders)
        else:
            orders.append(order_to_proto(owner, one))
    span = commonpb.TimeRange(
        start=ns_to_proto(min(int(bars.open_ns[0]) for bars, _ in traded)),
        end=ns_to_proto(max(int(bars.close_ns[-1]) for bars, _ in traded)),
    )
    return evaluationpb.OrderList(
        world_id=world,
        strategy_id=strategy_id,
        orders=orders,
        cancels=[
            replaypb.ReplayedCancel(
                client_order_id=one.client_order_id,
                decided_at=ns_to_proto(one.time_ns),
                orders_before=one.orders_before,
            )
            for one in done.cancels
        ],
        dataset_fingerprints=[sealed for _, sealed in traded],
        range=span,
        equity_after=ns_to_proto(int(done.time_ns[0]) - 1),
        base_currency=done.currency,
    )


def session_report(
    session: sessionpb.Session, owner: Owner, bars: Bars, metrics: dict[str, float]
) -> evaluationservicepb.EvaluateRequest:
    """The report of one session as far as it was played; the same stretch of it is the same run. Its metrics are
    claims: of paper the world computes its own from the books of the owner's account.
    """
    end_ns = int(bars.close_ns[-1])
    expected = (end_ns - ns_from_proto(session.start, "session.start")) // (bars.interval_s * NS_PER_S)
    name = digest(session.session_id.encode()).removeprefix("blake3:")[:16]
    is_live = session.execution_domain == commonpb.EXECUTION_DOMAIN_LIVE
    return evaluationservicepb.EvaluateRequest(
        world_id=session.world_id,
        strategy_id=owner.strategy_id,
        run_id=f"{'live' if is_live else 'paper'}-{name}-{end_ns // NS_PER_S}",
        stage=bindingpb.STAGE_LIVE if is_live else bindingpb.STAGE_PAPER,
        metrics=[evaluationpb.Metric(name=name, value=value) for name, value in sorted(metrics.items())],
        dataset_fingerprint=session.dataset_fingerprint,
        data_start=session.start,
        data_end=ns_to_proto(end_ns),
        coverage_ratio=min(1.0, len(bars) / expected) if expected > 0 else 0.0,
        paper_books=None if is_live else evaluationpb.PaperBooks(account=owner.account, session_id=session.session_id),
    )
