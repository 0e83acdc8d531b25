"""The node catalogue: every built-in node type as a document that other languages build DAGs from.

It is made from the declarations that the SDK's own builders check against, and holds nothing else.
"""

from __future__ import annotations

from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk import arithmetic
from qmtl.sdk.decisions import directions, execution_nodes, quotes, targets, time_exits
from qmtl.sdk.graph.account_state import POSITION_TYPE
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.node_types import STREAM_INPUT, TAG_QUERY, BarCount, InputPort, NodeType, Parameter
from qmtl.sdk.graph.schemas import (
    COMMAND,
    DIRECTION,
    OHLCV,
    POSITION,
    QUOTE_COMMAND,
    QUOTE_INTENT,
    TARGET,
    VALUE,
    Schema,
)
from qmtl.sdk.indicators import (
    bands,
    book,
    changes,
    declaring,
    levels,
    momentum,
    oscillators,
    performance,
    trend,
    volatility,
    volume,
)
from qmtl.sdk.labels import barriers
from qmtl.sdk.strategy import quotes as quote_rules
from qmtl.sdk.strategy import rules
from qmtl.sdk.streams.features import FEATURE
from qmtl.sdk.streams.latest import LATEST
from qmtl.sdk.streams.membership import MEMBER
from qmtl.sdk.streams.resampling import RESAMPLE

BUILTINS: tuple[Builtin, ...] = (
    trend.SMA,
    trend.EMA,
    trend.MACD,
    momentum.RSI,
    volatility.ATR,
    volatility.ROLLING_VOL,
    volatility.ZSCORE,
    changes.RETURNS,
    changes.RATE_OF_CHANGE,
    trend.WMA,
    bands.BOLLINGER,
    bands.KELTNER,
    oscillators.STOCHASTIC,
    oscillators.STOCH_RSI,
    oscillators.KDJ,
    volume.OBV,
    volume.VWAP,
    volume.ANCHORED_VWAP,
    volume.TWAP,
    volume.RELATIVE_VOLUME,
    volume.MONEY_FLOW,
    book.BOOK_IMBALANCE,
    book.MICROPRICE,
    book.ORDER_FLOW_IMBALANCE,
    book.EXECUTION_IMBALANCE,
    levels.SUPERTREND,
    levels.CHANDELIER_EXIT,
    levels.ICHIMOKU,
    levels.KALMAN_TREND,
    performance.ALPHA_RETURNS,
    performance.ALPHA_SHARPE,
    performance.ALPHA_DRAWDOWN,
    performance.ALPHA_LINEARITY,
    LATEST,
    FEATURE,
    RESAMPLE,
    MEMBER,
    arithmetic.ADD,
    arithmetic.SUBTRACT,
    arithmetic.MULTIPLY,
    arithmetic.DIVIDE,
    arithmetic.MINIMUM,
    arithmetic.MAXIMUM,
    arithmetic.GREATER,
    arithmetic.AT_LEAST,
    arithmetic.WHERE,
    arithmetic.ABSOLUTE,
    arithmetic.FIELD,
    arithmetic.ADD_NUMBER,
    arithmetic.MULTIPLY_NUMBER,
    arithmetic.DIVIDE_NUMBER,
    arithmetic.NUMBER_OVER,
    arithmetic.ABOVE_NUMBER,
    arithmetic.FROM_NUMBER,
    barriers.TRIPLE_BARRIER,
    barriers.TIME_BARRIER,
    barriers.META_LABEL_TYPE,
    directions.CROSS,
    directions.TREND,
    directions.THRESHOLD,
    directions.TRADE_SIGNAL,
    targets.POSITION_TARGET,
    time_exits.MAX_BARS,
    execution_nodes.PRE_TRADE_GATE,
    execution_nodes.MICRO_BATCH,
    execution_nodes.ROUTER,
    quotes.QUOTE_INTENT_TYPE,
    rules.ORDER_TARGET,
    rules.ORDER_BRACKET,
    quote_rules.ORDER_QUOTE,
)
NODE_TYPES: tuple[NodeType, ...] = (STREAM_INPUT, TAG_QUERY, POSITION_TYPE, *(builtin.type for builtin in BUILTINS))
SCHEMAS: tuple[Schema, ...] = (
    OHLCV,
    VALUE,
    trend.MACD_LINES,
    barriers.LABEL,
    barriers.META_LABEL,
    DIRECTION,
    TARGET,
    COMMAND,
    POSITION,
    QUOTE_INTENT,
    QUOTE_COMMAND,
    declaring.BANDS,
    oscillators.STOCHASTIC_LINES,
    oscillators.KDJ_LINES,
    levels.SUPERTREND_LINES,
    levels.EXITS,
    levels.ICHIMOKU_LINES,
    levels.TREND_STATE,
)


def catalogue_document() -> dict[str, Json]:
    """The catalogue as the proto JSON of a ListNodeTypesResponse, with the contract's field names."""
    return {
        "schemas": [
            {
                "compat_id": schema.compat_id,
                "fields": list(schema.fields),
                "default_field": schema.default,
                "schema_hash": schema.hash,
            }
            for schema in SCHEMAS
        ],
        "node_types": [_node_type(each) for each in NODE_TYPES],
    }


def _node_type(each: NodeType) -> Json:
    return _filled(
        {
            "node_type": each.node_type,
            "code_hash": each.code_hash,
            "summary": each.summary,
            "kind": _kind(each.kind),
            "output_schema": each.output.compat_id,
            "parameters": [_parameter(parameter) for parameter in each.parameters],
            "inputs": [_input(port) for port in each.inputs],
            "period": _bar_count(each.period) if each.period is not None else None,
            "warm_up": _bar_count(each.warm_up),
            "orderings": [{"lesser": o.lesser, "greater": o.greater, "strict": o.strict} for o in each.orderings],
        }
    )


def _parameter(parameter: Parameter) -> Json:
    fields: dict[str, Json] = _filled(
        {
            "name": parameter.name,
            "type": f"PARAMETER_TYPE_{parameter.type.name}",
            "unit": parameter.unit,
            "default": parameter.default,
            "minimum": parameter.minimum,
            "maximum": parameter.maximum,
            "above": parameter.above,
            "choices": list(parameter.choices),
            "required": parameter.required,
        }
    )
    if parameter.default == "":  # an empty text is a value, which whoever builds a node fills in
        fields["default"] = ""
    return fields


def _input(port: InputPort) -> Json:
    return _filled(
        {
            "name": port.name,
            "fields": list(port.fields),
            "schemas": [schema.compat_id for schema in port.schemas],
            "kinds": [_kind(kind) for kind in port.kinds],
        }
    )


def _kind(kind: SemanticKind) -> str:
    return f"SEMANTIC_KIND_{kind.name}"


def _bar_count(count: BarCount) -> Json:
    return _filled({"constant": count.constant, "per_parameter": dict(count.per_parameter)})


def _filled(fields: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in fields.items() if value not in (None, [], {}, "")}
