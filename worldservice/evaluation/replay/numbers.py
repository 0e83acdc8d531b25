"""What a replay or books came to, as the evidence of a run: every number is computed here, from fills and equity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.calendars.published import sessions_of
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import NotReady, refused
from qmtl.core.fills import FillEvent
from qmtl.core.instants import from_ns
from qmtl.stats.activity import activity, costs_of
from qmtl.stats.moments import kurtosis, skewness
from qmtl.stats.performance import performance, session_returns
from qmtl.stats.ratios import sharpe
from qmtl.stats.returns import Sessions
from qmtl.stats.trades import Trade
from qmtl.wire.instants import instant_from_proto, ns_from_proto
from qmtl.world.v1 import decision_pb2 as decisionpb
from worldservice.evaluation.domain.reports import MetricSource, Number
from worldservice.evaluation.domain.runs import DailyMoments, Evidence
from worldservice.evaluation.replay.pending import UNREADABLE
from worldservice.evaluation.wire import execution_from_proto
from worldservice.policy.domain.metric_catalogue import CROSS_CONTEXT_HITS

if TYPE_CHECKING:
    import pyarrow as pa
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper as EnumTypeWrapper

    from qmtl.core.arrays.types import Floats, Times

NOTES_MAX = 20
WHOLE_MAX = 2**53
"""Up to here a double holds every integer, so that one division gives the double nearest to the decimal."""


@dataclass(slots=True)
class Replayed:
    """The parts of an answer, put together as they come."""

    fills: list[orderpb.Fill] = field(default_factory=list)
    trades: list[replaypb.ReplayedTrade] = field(default_factory=list)
    denials: list[replaypb.ReplayedDenial] = field(default_factory=list)
    equity: list[pa.Table] = field(default_factory=list)
    summary: replaypb.ReplaySummary | None = None

    def take(self, part: replayservicepb.ReplayOrdersResponse) -> None:
        """Add a part. Raises NotReady (E_REPLAY_UNREADABLE) for one that says what there are no words for here."""
        match part.WhichOneof("part"):
            case "fills":
                _refuse_unknown("fills.side", orderpb.OrderSide, (fill.side for fill in part.fills.fills))
                self.fills += part.fills.fills
            case "trades":
                self.trades += part.trades.trades
            case "denials":
                _refuse_unknown("denials.denial", orderpb.Denial, (one.denial for one in part.denials.denials))
                self.denials += part.denials.denials
            case "equity_arrow":
                self.equity.append(_closes(part.equity_arrow))
            case "summary":
                if part.summary.margin_call_count and not part.summary.margin_calls:
                    raise _unreadable("summary.margin_calls", f"none of {part.summary.margin_call_count}")
                self.summary = part.summary
            case None:
                raise _unreadable("part", "none of those known here")

    def whole(self) -> replaypb.ReplaySummary:
        """The summary of an answer that is all there. Raises NotReady (E_REPLAY_CUT)."""
        if self.summary is None or self.summary.fill_count != len(self.fills):
            raise NotReady("E_REPLAY_CUT", "the replay ended without saying what it came to")
        return self.summary


def evidence_of(
    asked: Evidence, account: str, profile: str, presets: Mapping[str, str], replayed: Replayed
) -> Evidence:
    """The evidence of a run from the replay of its list, or from the books of its paper account.

    `account` are the terms it was replayed under, `profile` the brokerage profile among them. `presets`: by each preset
    that serves data of the world the one that the world names, which may be a universe of it; empty: it names none.

    Raises NotReady (E_REPLAY_CUT), InvalidRequest (E_FIELD: a range without bars; E_PRESET_NOT_OF_WORLD).
    """
    summary = replayed.whole()
    for one in summary.instruments:
        if presets and one.data_preset not in presets:
            raise refused(
                "E_PRESET_NOT_OF_WORLD",
                "dataset_fingerprints",
                f"data of preset {one.data_preset}",
                f"of the world's presets: {', '.join(sorted({*presets.values()}))}",
            )
    times, equity = _curve(replayed.equity, summary.equity_count)
    if not len(times):
        raise refused("E_FIELD", "range", "no close", "at least one bar, after equity_after")
    metrics, moments = _metrics(replayed, summary, times, equity)
    hits = [claim for claim in asked.claims if claim.name == CROSS_CONTEXT_HITS]  # the one thing no replay can see
    source = MetricSource.BOOKS if asked.paper_account else MetricSource.REPLAY
    source_id = asked.paper_account or asked.order_list
    numbers = [Number(name, value, source, source_id) for name, value in sorted(metrics.items())]
    return replace(
        asked,
        numbers=tuple(sorted([*numbers, *hits], key=lambda number: number.name)),
        account=account,
        data_start=_judged_from(summary, times),
        data_end=_bound(max, [one.last_close for one in summary.instruments if one.HasField("last_close")]),
        coverage=min((one.coverage_ratio for one in summary.instruments), default=0.0),
        execution=execution_from_proto(_execution(summary.terms, profile), "terms"),
        notes=tuple(_notes(replayed, summary)),
        moments=moments,
        data_presets=tuple(sorted({presets.get(one.data_preset, one.data_preset) for one in summary.instruments})),
    )


def _refuse_unknown(field: str, names: EnumTypeWrapper[int], numbers: Iterable[int]) -> None:
    """Zero says nothing, so it is as unknown as a number without a name."""
    known = {*names.values()} - {0}
    for number in numbers:
        if number not in known:
            raise _unreadable(field, number)


def _closes(part: bytes) -> pa.Table:
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(part).read_all()
    except pa.ArrowException as error:
        raise _unreadable("equity_arrow", error) from None
    types = {column.name: column.type for column in table.schema}
    if types.keys() != {"close_time", "equity"} or types["close_time"] != pa.timestamp("ns", "UTC"):
        raise _unreadable("equity_arrow", types)
    if not pa.types.is_decimal128(types["equity"]):
        raise _unreadable("equity_arrow.equity", types["equity"])
    return table


def _unreadable(field: str, said: object) -> NotReady:
    hint = "run worldservice and brokerage of one version, then evaluate again"
    return NotReady(UNREADABLE, f"brokerage's answer cannot be read here: {field} is {str(said)[:200]}", hint=hint)


def _curve(tables: Sequence[pa.Table], count: int) -> tuple[Times, Floats]:
    """Closes, and equity as the doubles next to its decimals."""
    import pyarrow as pa

    if sum(table.num_rows for table in tables) != count:
        raise NotReady("E_REPLAY_CUT", f"equity of {sum(table.num_rows for table in tables)} closes, not {count}")
    times = [table.column("close_time").cast(pa.int64()).to_numpy() for table in tables]
    values = [_doubles(chunk) for table in tables for chunk in table.column("equity").chunks]
    return (
        np.concatenate([*times, np.zeros(0, dtype=np.int64)]).astype(np.int64),
        np.concatenate([*values, np.zeros(0)]),
    )


def _doubles(decimals: pa.Decimal128Array) -> Floats:
    """The double next to each decimal; each fits 64 bits, as all money does."""
    halves = np.frombuffer(decimals.buffers()[1], dtype="<i8").reshape(-1, 2)
    units = halves[decimals.offset : decimals.offset + len(decimals), 0]
    if not len(units) or int(np.abs(units).max()) < WHOLE_MAX:
        return np.asarray(units / 10.0**decimals.type.scale, dtype=np.float64)
    return np.array([float(one) for one in decimals.to_pylist()])


def _metrics(
    replayed: Replayed, summary: replaypb.ReplaySummary, times: Times, equity: Floats
) -> tuple[dict[str, float], DailyMoments | None]:
    """All of the catalogue that fills and equity have, by the days of the markets traded, and the days' moments."""
    calendars = [one.calendar for one in summary.instruments]
    per_year, closes = sessions_of(calendars, int(times[0]), int(times[-1]))
    sessions = Sessions(per_year, None if closes is None else np.array(closes, dtype=np.int64))
    trades = [
        Trade(ns_from_proto(one.closed_at, "closed_at"), float(parse_decimal(one.profit, "profit")))
        for one in replayed.trades
    ]
    multipliers = {one.symbol: parse_decimal(one.multiplier, "multiplier") for one in summary.instruments}
    fills = [_fill(one) for one in replayed.fills]
    found = performance(times, equity, trades, sessions=sessions)
    fees, notional = costs_of(fills, summary.base_currency, multipliers)
    metrics = found | activity(float(fees), float(notional), summary.invested_count, times, equity)
    return metrics, _moments(session_returns(times, equity, sessions))


def _moments(days: Floats) -> DailyMoments | None:
    found = DailyMoments(len(days), sharpe(days, 1.0), skewness(days), kurtosis(days))
    return found if all(map(math.isfinite, (found.ratio, found.skewness, found.kurtosis))) else None


def _fill(fill: orderpb.Fill) -> FillEvent:
    quantity = parse_decimal(fill.quantity, "quantity")
    signed = quantity if fill.side == orderpb.ORDER_SIDE_BUY else -quantity
    price, fee = parse_decimal(fill.price, "price"), parse_decimal(fill.fee or "0", "fee")
    return FillEvent(fill.symbol, signed, price, fee, fill.fee_currency, 0, fill.trade_id)


def _judged_from(summary: replaypb.ReplaySummary, times: Times) -> datetime | None:
    """Open of the first bar whose close counts: what lies before `equity_after` is no history of these numbers."""
    opened = _bound(min, [one.first_open for one in summary.instruments if one.HasField("first_open")])
    bar_ns = int(np.diff(times).min()) if len(times) > 1 else 0
    counted = from_ns(int(times[0]) - bar_ns)
    return None if opened is None else max(opened, counted)


def _bound(pick: Callable[[Iterable[datetime]], datetime], stamps: Sequence[Timestamp]) -> datetime | None:
    return pick(instant_from_proto(one, "instruments") for one in stamps) if stamps else None


def _notes(replayed: Replayed, summary: replaypb.ReplaySummary) -> Iterator[str]:
    """What a reader of the numbers has to know of the replay."""
    if summary.ended:
        yield f"the replay ended before its data did: {summary.ended}"
    if summary.margin_call_count:
        yield f"{summary.margin_call_count} margin calls, first: {summary.margin_calls[0].message}"
    rules = Counter(orderpb.Denial.Name(one.denial).removeprefix("DENIAL_") for one in replayed.denials)
    for rule, count in rules.most_common(NOTES_MAX):
        name = f"DENIAL_{rule}"
        first = next(one for one in replayed.denials if orderpb.Denial.Name(one.denial) == name)
        yield f"{count} orders denied by {rule}, first {first.client_order_id}: {first.message}"


def _execution(terms: replaypb.ReplayedTerms, profile: str) -> decisionpb.ExecutionModel:
    return decisionpb.ExecutionModel(
        fill=decisionpb.FILL_MODEL_NEXT_BAR,
        maker_fee_rate=terms.maker_fee_rate,
        taker_fee_rate=terms.taker_fee_rate,
        slippage_rate=terms.slippage_rate,
        participation=terms.participation,
        profile=profile,
    )
