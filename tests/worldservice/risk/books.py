"""Seeded books of strategies: weights, daily returns, snapshots of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import numpy as np

from qmtl.core.decimals import format_decimal
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.wire.instants import instant_to_proto, span_to_proto
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.scope import parse_scope
from worldservice.risk.domain.snapshot import Provenance, RiskStage, Snapshot
from worldservice.risk.wire.snapshots import series_to_proto

AS_OF = datetime(2026, 7, 1, tzinfo=UTC)


def series(values: Sequence[float], last: date = date(2026, 6, 30)) -> DailyReturns:
    """Returns of consecutive days, the last of them on `last`."""
    end = last.toordinal() + 1
    return DailyReturns(tuple(range(end - len(values), end)), tuple(float(value) for value in values))


def book(count: int, days: int, seed: int) -> tuple[dict[str, float], dict[str, DailyReturns]]:
    """Strategies s0, s1, ... that share a factor, with weights that sum to 1."""
    random = np.random.Generator(np.random.PCG64(seed))
    market = random.normal(0.0, 0.008, days)
    weights = random.uniform(0.2, 1.0, count)
    weights /= weights.sum()
    names = [f"s{at}" for at in range(count)]
    returns = {name: series((0.5 * market + random.normal(0.0003, 0.01, days)).tolist()) for name in names}
    return dict(zip(names, weights.tolist(), strict=True)), returns


def snapshot_of(
    weights: Mapping[str, float], returns: Mapping[str, DailyReturns], scope: str = "world:w1", version: str = "v1"
) -> Snapshot:
    return Snapshot(
        scope=parse_scope(scope),
        version=version,
        as_of=AS_OF,
        weights=weights,
        returns=returns,
        provenance=Provenance("service:brokerage", RiskStage.LIVE),
    )


def message_of(snapshot: Snapshot) -> riskpb.RiskSnapshot:
    """What a producer sends of a snapshot."""
    message = riskpb.RiskSnapshot(
        version=snapshot.version,
        as_of=instant_to_proto(snapshot.as_of),
        ttl=span_to_proto(snapshot.ttl),
        stage=f"RISK_STAGE_{snapshot.provenance.stage.name}",
        weights=[riskpb.RiskWeight(id=name, share=share) for name, share in snapshot.weights.items()],
        returns=[series_to_proto(name, one) for name, one in snapshot.returns.items()],
        exposures=[
            riskpb.RiskExposure(
                strategy_id=one.strategy_id,
                symbol=one.symbol,
                quantity=format_decimal(one.quantity),
                mark=format_decimal(one.mark),
                notional=format_decimal(one.notional),
                sector=one.sector,
                asset_class=one.asset_class,
            )
            for one in snapshot.exposures
        ],
        scenarios=[
            riskpb.StressScenario(
                name=one.name, by_symbol=one.by_symbol, by_sector=one.by_sector, by_asset_class=one.by_asset_class
            )
            for one in snapshot.scenarios
        ],
        capital="" if snapshot.capital is None else format_decimal(snapshot.capital),
        currency=snapshot.currency,
        net_of_costs=snapshot.provenance.net_of_costs,
        account_sequence=snapshot.provenance.account_sequence,
    )
    if snapshot.covariance is not None:
        given = snapshot.covariance
        message.covariance.CopyFrom(riskpb.RiskCovariance(ids=given.ids, lower_triangle=given.triangle))
    return message
