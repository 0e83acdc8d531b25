"""Small worlds, strategies and numbers that the tests of worldservice are written with."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from blake3 import blake3
from google.protobuf.message import Message

from qmtl.rpc.chunks import Chunked
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from worldservice.evaluation.domain.data_currency import DataState
from worldservice.evaluation.domain.reports import Number
from worldservice.evaluation.domain.runs import Candidate, Evidence
from worldservice.policy.domain.evidence import WorldAccount
from worldservice.worlds.domain.binding import BOTH_SIDES, Binding, BindingState, Side, Stage
from worldservice.worlds.domain.world import World, new_world

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DOCUMENT = """\
data_currency: {max_lag: 5m, min_history: 60d}
selection:
  gates: {and: ["sample_days >= 30", "sharpe >= 0.6", "max_drawdown <= 0.25"]}
  score: "sharpe + 0.1*win_rate - 0.2*ulcer_index"
  topk: {total: 8, by_side: {long: 5, short: 3}}
"""
CLAIMS = DOCUMENT + "evidence: claims\n"
"""The same, for worlds whose tests send numbers only."""
TERMS = WorldAccount().text(None)
PRESET = "ohlcv.exchange.spot.1m"
GOOD: Mapping[str, float] = {
    "sample_days": 90,
    "sharpe": 1.2,
    "max_drawdown": 0.1,
    "win_rate": 0.5,
    "ulcer_index": 1.0,
}


def evidence(values: Mapping[str, float] = GOOD, run_id: str = "run-1", days: int = 90) -> Evidence:
    numbers = tuple(Number(name, float(value)) for name, value in values.items())
    start = NOW - timedelta(days=days)
    return Evidence(
        run_id, Stage.BACKTEST, numbers, "blake3:data", start, NOW, 0.97, account=TERMS, data_presets=(PRESET,)
    )


def candidate(
    name: str, values: Mapping[str, float] = GOOD, sides: frozenset[Side] = frozenset({Side.LONG})
) -> Candidate:
    return Candidate(name, sides, evidence(values))


def world(world_id: str = "alpha", **fields: bool) -> World:
    return new_world(world_id, "ann", NOW, allow_live=fields.get("allow_live", False), data_presets=(PRESET,))


def binding(name: str, stage: Stage = Stage.BACKTEST) -> Binding:
    return Binding("alpha", name, stage, BindingState.ACTIVE, BOTH_SIDES, "ann", NOW)


def fresh(lag: timedelta = timedelta(minutes=1)) -> DataState:
    return DataState(NOW, NOW - lag)


def cohort_chunks(cohort: Message) -> Chunked[evaluationservicepb.EvaluateCohortRequest]:
    """A cohort as EvaluateCohort takes it."""
    return Chunked(evaluationservicepb.EvaluateCohortRequest, cohort, ["w1"])


def order_list(world_id: str, strategy_id: str, fingerprint: str = "sha256:data") -> evaluationpb.OrderList:
    """A list without orders: what brokerage makes of it is the test's to say."""
    return evaluationpb.OrderList(world_id=world_id, strategy_id=strategy_id, dataset_fingerprints=[fingerprint])


def list_chunks(listed: Message) -> Chunked[evaluationservicepb.PutOrderListRequest]:
    """A list as PutOrderList takes it."""
    return Chunked(evaluationservicepb.PutOrderListRequest, listed, ["w1"])


def trials(world_id: str, strategy_id: str, variants: int = 12, days: int = 200) -> campaignpb.Trials:
    """Returns of variants that have nothing to tell."""
    returns = np.random.Generator(np.random.PCG64(7)).normal(0.0, 0.01, (days, variants))
    table = pa.table({f"v{index}": returns[:, index] for index in range(variants)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body = bytes(sink.getvalue().to_pybytes())
    named = f"blake3:{blake3(body).hexdigest()}"
    return campaignpb.Trials(world_id=world_id, strategy_id=strategy_id, returns_arrow=body, trials_hash=named)


def trials_chunks(told: Message) -> Chunked[campaignservicepb.PutTrialsRequest]:
    """Trials as PutTrials takes them."""
    return Chunked(campaignservicepb.PutTrialsRequest, told, ["w1"])
