"""A measure as the risk hub's message: its version names the day, the place of the ledger and the content."""

from __future__ import annotations

from datetime import date, timedelta

from blake3 import blake3

from brokerage.domain.measures.scope import Holding, ScopeMeasure
from brokerage.domain.money import money_text
from qmtl.core.decimals import format_decimal
from qmtl.core.instants import from_ns
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.wire.instants import ns_to_proto

TTL = timedelta(seconds=900)
POINTS_MAX = 20_000
"""Of returns in a message; the oldest days are left out beyond it."""


def snapshot_to_proto(measure: ScopeMeasure) -> riskpb.RiskSnapshot:
    """The snapshot of a measure. The same measure gives the same bytes, and so the same version."""
    message = riskpb.RiskSnapshot(
        as_of=ns_to_proto(measure.as_of_ns),
        stage=riskpb.RISK_STAGE_LIVE if measure.live else riskpb.RISK_STAGE_PAPER,
        weights=[riskpb.RiskWeight(id=name, share=float(share)) for name, share in sorted(measure.weights.items())],
        returns=_returns(measure),
        exposures=[_exposure(name, one, measure.currency) for name, one in measure.holdings],
        capital=money_text(measure.currency, measure.capital),
        currency=measure.currency,
        net_of_costs=True,
        account_sequence=measure.sequence,
    )
    message.ttl.FromTimedelta(TTL)
    digest = blake3(message.SerializeToString(deterministic=True)).hexdigest()[:16]
    stage = "l" if measure.live else "p"
    message.version = f"{from_ns(measure.as_of_ns):%Y%m%d}-{stage}-{measure.sequence}-{digest}"
    return message


def request_to_proto(scope: str, snapshot: riskpb.RiskSnapshot) -> riskservicepb.PutSnapshotRequest:
    """The put of a snapshot of a world or an account."""
    kind, _, name = scope.partition(":")
    if kind == "world":
        return riskservicepb.PutSnapshotRequest(world_id=name, snapshot=snapshot)
    return riskservicepb.PutSnapshotRequest(account=name, snapshot=snapshot)


def _returns(measure: ScopeMeasure) -> list[riskpb.ReturnSeries]:
    newest = POINTS_MAX // max(len(measure.returns), 1)
    found: list[riskpb.ReturnSeries] = []
    for name, values in sorted(measure.returns.items()):
        days = sorted(values)[-newest:]
        offsets = [day - days[0] for day in days]
        found.append(
            riskpb.ReturnSeries(
                id=name,
                start_day=date.fromordinal(days[0]).isoformat(),
                values=[values[day] for day in days],
                offsets=[] if offsets == list(range(len(offsets))) else offsets,
                closed_offsets=[day - days[0] for day in measure.closed[name] if day > days[0]],
            )
        )
    return found


def _exposure(name: str, one: Holding, currency: str) -> riskpb.RiskExposure:
    return riskpb.RiskExposure(
        strategy_id=name,
        symbol=one.instrument.symbol,
        quantity=format_decimal(one.instrument.quantity_decimal(one.quantity)),
        mark=format_decimal(one.instrument.price_decimal(one.mark)),
        notional=money_text(currency, one.notional),
        sector=one.instrument.sector,
        asset_class=one.instrument.asset_class.value,
        reserved=money_text(currency, one.reserved),
    )
