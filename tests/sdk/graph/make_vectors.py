"""Writes proto/testdata/dags.json: whole strategies with every NodeID, and DAGs that a gateway refuses.

Run it only when identity or the node catalogue is meant to change: `python -m tests.sdk.graph.make_vectors`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.core.identity.keys import node_id, node_ids_crc32
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.sdk import Limit, Strategy, StreamInput, TagQuery, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.mesh.wire.graph import graph_to_proto
from qmtl.sdk.strategy.assembly import assemble
from qmtl.wire.graph import spec_from_proto

PATH = Path(__file__).resolve().parents[3] / "proto" / "testdata" / "dags.json"
Node = dict[str, Any]


class EveryBuiltin(Strategy):
    """Every built-in node type once, over one market and a tag query."""

    name = "every-builtin"

    def setup(self) -> None:
        price = StreamInput("ETH-USD", interval="1h", period=200, allowed_lateness="30s")
        others = TagQuery(["momentum", "eth"], "1h", "all")
        streams = (
            ta.sma(price, 30, field="high"),
            ta.rsi(price),
            ta.atr(price),
            ta.returns(price, 3),
            ta.rolling_vol(price, 24, periods_per_year=8766.0),
            ta.zscore(others, 50),
        )
        histogram = ta.macd(price)
        entry = signals.threshold(histogram, above=2.5, below=-2.5)
        self.add_nodes(*streams, entry, signals.trend(ta.ema(price, 9), streams[0]))
        crossing = signals.cross(ta.ema(price, 9), ta.ema(price, 21))
        self.trade(signals.position_target(crossing, long=0.5, short=-0.5, hold=False), price, lot="0.001")


class PositionAware(Strategy):
    """Leaves by what it holds, with every exit and entry of a trade rule."""

    name = "position-aware"

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        held = self.position(price)
        fine = (held.unrealised > -500.0) * (price > ta.ema(price, 20))
        target = signals.position_target(signals.when(long=fine), long=0.5, hold=False)
        entry = Limit(offset="0.001")
        self.trade(target, price, stop_loss="0.02", take_profit="0.05", trailing="0.03", max_bars=48, order=entry)


def vectors() -> dict[str, object]:
    """The document: DAGs as proto JSON with the contract's field names."""
    return {
        "dags": [_whole(make()) for make in (EmaCross, EmaTrend, EveryBuiltin, PositionAware)],
        "refusals": [_refusal(*case) for case in REFUSALS],
    }


def _whole(strategy: Strategy) -> dict[str, object]:
    assembled = assemble(strategy)
    message = graph_to_proto(assembled.dag)
    return {"name": assembled.name, "dag": _json(message), "node_ids_crc32": assembled.dag.crc32}


def _json(message: dagpb.Dag) -> object:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _refusal(name: str, reason: str, field: str, change: Callable[[list[Node]], object]) -> dict[str, object]:
    """A source, an EMA and an ATR, with one thing changed and the ids computed again."""
    price = StreamInput("BTC-USD")
    dag = build_dag([ta.ema(price, 20, name="average"), ta.atr(price, name="range")])
    nodes = copy.deepcopy(json_format.MessageToDict(graph_to_proto(dag), preserving_proto_field_name=True)["nodes"])
    nodes.sort(key=lambda node: ["BTC-USD", "average", "range"].index(node["name"]))
    change(nodes)
    message = json_format.ParseDict({"nodes": nodes}, dagpb.Dag())
    for node in message.nodes:
        node.node_id = node_id(spec_from_proto(node.spec))
    checksum = node_ids_crc32([node.node_id for node in message.nodes])
    return {"name": name, "dag": _json(message), "node_ids_crc32": checksum, "reason": reason, "field": field}


def _without_symbol(nodes: list[Node]) -> None:
    nodes[0]["spec"].update(params={})
    del nodes[1:]


def _over_the_average(nodes: list[Node]) -> None:
    average = nodes[1]["node_id"]
    nodes[2]["spec"].update(dependencies=[average])
    nodes[2].update(input_ids=[average])
    _params(nodes, 2, inputs=[[average, field] for field in ("high", "low", "close")])


def _params(nodes: list[Node], place: int, **changed: object) -> None:
    nodes[place]["spec"]["params"].update(changed)


REFUSALS: list[tuple[str, str, str, Callable[[list[Node]], object]]] = [
    (
        "unknown built-in",
        "E_NODE_TYPE_UNKNOWN",
        "dag.nodes[1].spec.code_hash",
        lambda nodes: nodes[1]["spec"].update(code_hash="builtin:no_such_thing@9.9"),
    ),
    (
        "a built-in under another type's name",
        "E_NODE_TYPE_UNKNOWN",
        "dag.nodes[1].spec.node_type",
        lambda nodes: nodes[1]["spec"].update(node_type="indicator.sma"),
    ),
    (
        "parameter of another type",
        "E_NODE_PARAMETER",
        "dag.nodes[1].spec.params.period",
        lambda nodes: _params(nodes, 1, period="20"),
    ),
    (
        "parameter with a fraction",
        "E_NODE_PARAMETER",
        "dag.nodes[1].spec.params.period",
        lambda nodes: _params(nodes, 1, period=20.5),
    ),
    (
        "parameter out of range",
        "E_NODE_PARAMETER",
        "dag.nodes[1].spec.params.period",
        lambda nodes: _params(nodes, 1, period=0),
    ),
    (
        "unknown parameter",
        "E_NODE_PARAMETER",
        "dag.nodes[1].spec.params.span",
        lambda nodes: _params(nodes, 1, span=20),
    ),
    (
        "missing parameter",
        "E_NODE_PARAMETER",
        "dag.nodes[1].spec.params.period",
        lambda nodes: nodes[1]["spec"]["params"].pop("period"),
    ),
    (
        "missing parameter of a source",
        "E_NODE_PARAMETER",
        "dag.nodes[0].spec.params.symbol",
        _without_symbol,
    ),
    (
        "period that is not what the parameters say",
        "E_NODE_PARAMETER",
        "dag.nodes[1].spec.period",
        lambda nodes: nodes[1]["spec"].update(period=21),
    ),
    (
        "field that the input does not have",
        "E_INPUT_SCHEMA",
        "dag.nodes[1].spec.params.inputs[0]",
        lambda nodes: _params(nodes, 1, inputs=[[nodes[0]["node_id"], "vwap"]]),
    ),
    (
        "inputs in another order of fields",
        "E_INPUT_SCHEMA",
        "dag.nodes[2].spec.params.inputs[0]",
        lambda nodes: _params(nodes, 2, inputs=[[nodes[0]["node_id"], f] for f in ("low", "high", "close")]),
    ),
    (
        "an input that is not said",
        "E_INPUT_SCHEMA",
        "dag.nodes[2].spec.params.inputs",
        lambda nodes: _params(nodes, 2, inputs=[]),
    ),
    (
        "average of averages where bars are read",
        "E_INPUT_SCHEMA",
        "dag.nodes[2].spec.params.inputs[0]",
        _over_the_average,
    ),
    (
        "output schema of another type",
        "E_NODE_FIELDS",
        "dag.nodes[1].spec.schema_compat_id",
        lambda nodes: nodes[1]["spec"].update(schema_compat_id="qmtl.ohlcv.v1"),
    ),
    (
        "kind of another type",
        "E_NODE_FIELDS",
        "dag.nodes[1].kind",
        lambda nodes: nodes[1].update(kind="SEMANTIC_KIND_DECISION_VALUE"),
    ),
    ("no name", "E_NODE_NAME", "dag.nodes[1].name", lambda nodes: nodes[1].update(name="")),
    ("a name twice", "E_NODE_NAME", "dag.nodes[2].name", lambda nodes: nodes[2].update(name="average")),
    (
        "no input_ids",
        "E_NODE_FIELDS",
        "dag.nodes[1].input_ids",
        lambda nodes: nodes[1].update(input_ids=[], input_names=[]),
    ),
]


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
