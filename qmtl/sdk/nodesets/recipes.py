"""The node sets there are, and `attach`: each is made over Strategy.trade, Strategy.quote and the labels alone.

Packages add theirs under the entry point group `qmtl.nodesets`: a function of signal, price and options.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.decisions import micro_batch, position_target, quote_intent
from qmtl.sdk.decisions.targets import POSITION_TARGET
from qmtl.sdk.graph.schemas import DIRECTION
from qmtl.sdk.graph.vertices import StreamInput, Vertex
from qmtl.sdk.labels.barriers import meta_label, triple_barrier
from qmtl.sdk.nodesets.node_set import Attaching, Capabilities, Guard, NodeSet, label_path, leak
from qmtl.sdk.strategy.bracket import Limit
from qmtl.sdk.strategy.rules import Sizing
from qmtl.sdk.strategy.strategy import Strategy

GROUP = "qmtl.nodesets"
ALL_DOMAINS = ("backtest", "paper", "live")
_log = logging.getLogger("qmtl.sdk.nodesets")

Options = Mapping[str, Json]
Plan = Callable[[Vertex, StreamInput, Options], Attaching]

_COMMON: Options = {"portfolio_scope": "strategy", "activation_weighting": True, "label_order_guard": "block"}
_TRADES: Options = {
    "long": 0.95,
    "short": 0.0,
    "hold": True,
    "sizing": Sizing.EQUITY_FRACTION.value,
    "lot": "",
    "stop_loss": "",
    "take_profit": "",
    "trailing": "",
    "max_bars": 0,
    "limit_offset": "",
    "every": "",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A node set before it is attached."""

    summary: str
    sides: tuple[str, ...]
    order_types: tuple[str, ...]
    options: Options
    plan: Plan
    labels: bool = False

    @property
    def can(self) -> Capabilities:
        """What node sets of it can do."""
        exits = ("stop_loss", "take_profit", "trailing", "max_bars") if "stop_loss" in self.options else ()
        domains = ("backtest",) if self.labels else ALL_DOMAINS
        return Capabilities(self.sides, self.order_types, exits, ("strategy",), domains, {**_COMMON, **self.options})


def attach(name: str, signal: Vertex, price: StreamInput, **options: Json) -> NodeSet:
    """A node set over a signal and the bars that it trades on; `self.add_nodes(...)` takes it.

    Options of all: `portfolio_scope` (strategy: sizes are of the account that the strategy trades on),
    `activation_weighting` (True: orders are sized to the activation's weight; False: the brokerage cuts them),
    `label_order_guard` (Guard). Others: `NodeSet.capabilities().options`.

    Raises InvalidRequest: E_FIELD for an unknown name or option, E_DELAYED_STREAM_LEAK, E_NOT_A_DECISION.
    """
    recipe = RECIPES.get(name)
    if recipe is None:
        return _plugged(name, signal, price, options)
    known = recipe.can.options
    for given in options:
        if given not in known:
            raise refused("E_FIELD", given, repr(options[given]), f"an option of {name}: {', '.join(sorted(known))}")
    chosen = {**known, **options}
    _check(name, signal, chosen, labels=recipe.labels)
    return NodeSet(name, recipe.summary, signal, price, chosen, recipe.can, recipe.plan(signal, price, chosen))


def names() -> tuple[str, ...]:
    """The node sets of this build and of installed packages."""
    return (*RECIPES, *sorted(point.name for point in entry_points(group=GROUP)))


def _plugged(name: str, signal: Vertex, price: StreamInput, options: Options) -> NodeSet:
    for point in entry_points(group=GROUP):
        if point.name == name:
            made: object = point.load()(signal, price, **options)
            if not isinstance(made, NodeSet):
                raise refused("E_FIELD", "name", name, "a function that makes a NodeSet")
            return made
    raise refused("E_FIELD", "name", repr(name), f"one of {', '.join(names())}")


def _check(name: str, signal: Vertex, chosen: Options, *, labels: bool) -> None:
    if chosen["portfolio_scope"] != "strategy":
        want = (
            "strategy: an account is sized by what it holds itself, and a world's capital is allocated by its weights"
        )
        raise refused("E_FIELD", "portfolio_scope", repr(chosen["portfolio_scope"]), want)
    if not isinstance(chosen["activation_weighting"], bool):
        raise refused("E_FIELD", "activation_weighting", repr(chosen["activation_weighting"]), "True or False")
    try:
        guard = Guard(chosen["label_order_guard"])
    except ValueError:
        raise refused("E_FIELD", "label_order_guard", repr(chosen["label_order_guard"]), "block, warn or off") from None
    if labels:
        return
    if path := label_path(signal):
        error = leak(path, name)
        if guard is Guard.BLOCK:
            raise error
        if guard is Guard.WARN:
            _log.warning("%s; building the strategy will refuse it", error.message)


def _target(signal: Vertex, chosen: Options) -> Vertex:
    """A target as it is, or one of a direction."""
    if signal.kind is not SemanticKind.DECISION_VALUE:
        hint = "make one with signals.trend, threshold, cross or when"
        raise refused("E_NOT_A_DECISION", "signal", f"{signal.name} ({signal.kind.value})", "a direction", hint=hint)
    if signal.schema is not DIRECTION:
        return signal
    long, short = _number(chosen, "long"), _number(chosen, "short")
    if not isinstance(chosen["hold"], bool):
        raise refused("E_FIELD", "hold", repr(chosen["hold"]), "True or False")
    return position_target(signal, long=long, short=short, hold=chosen["hold"])


def _number(chosen: Options, name: str) -> float:
    value = chosen[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused("E_FIELD", name, repr(value), "a number")
    return float(value)


def _text(chosen: Options, name: str) -> str:
    value = chosen[name]
    if not isinstance(value, str):
        raise refused("E_FIELD", name, repr(value), "decimal text such as 0.02")
    return value


def _trades(signal: Vertex, price: StreamInput, chosen: Options) -> Attaching:
    target, max_bars = _target(signal, chosen), chosen["max_bars"]
    if isinstance(max_bars, bool) or not isinstance(max_bars, int):
        raise refused("E_FIELD", "max_bars", repr(max_bars), "a whole number of bars; 0: none")
    if chosen["sizing"] not in [one.value for one in Sizing]:
        raise refused("E_FIELD", "sizing", repr(chosen["sizing"]), ", ".join(one.value for one in Sizing))
    texts = {
        name: _text(chosen, name) for name in ("lot", "stop_loss", "take_profit", "trailing", "limit_offset", "every")
    }
    if texts["every"]:
        target = micro_batch(target, texts["every"])
    order = Limit(offset=texts["limit_offset"]) if texts["limit_offset"] else None

    def attaching(strategy: Strategy) -> None:
        strategy.trade(
            target,
            price,
            sizing=Sizing(chosen["sizing"]),
            lot=texts["lot"],
            stop_loss=texts["stop_loss"],
            take_profit=texts["take_profit"],
            trailing=texts["trailing"],
            max_bars=max_bars,
            order=order,
            weighted=bool(chosen["activation_weighting"]),
        )

    return attaching


def _spot(signal: Vertex, price: StreamInput, chosen: Options) -> Attaching:
    if _number(chosen, "short") != 0.0 or _number(chosen, "long") < 0.0:
        raise refused("E_FIELD", "short", repr(chosen["short"]), "0: a spot account holds no shorts")
    if signal.kind is SemanticKind.DECISION_VALUE and signal.schema is not DIRECTION and not _is_long_only(signal):
        want = "a direction, or a position_target without a negative: a spot account holds no shorts"
        raise refused("E_FIELD", "signal", signal.name, want)
    return _trades(signal, price, chosen)


def _is_long_only(target: Vertex) -> bool:
    """Whether a target is one of position_target that is never below 0."""
    params = target.spec.params
    sides = [params.get(side) for side in ("long", "flat", "short")]
    made = target.spec.node_type == POSITION_TARGET.type.node_type
    return made and all(isinstance(side, int | float) and side >= 0.0 for side in sides)


def _market_maker(signal: Vertex, price: StreamInput, chosen: Options) -> Attaching:
    if chosen["activation_weighting"] is not True:
        raise refused("E_FIELD", "activation_weighting", "False", "True: quotes are sized to the weight")
    intent = quote_intent(signal, _number(chosen, "half_spread"), _number(chosen, "size"))
    texts = {name: _text(chosen, name) for name in ("inventory_max", "inventory_min", "skew")}
    post_only = chosen["post_only"]
    if not isinstance(post_only, bool):
        raise refused("E_FIELD", "post_only", repr(post_only), "True or False")

    def attaching(strategy: Strategy) -> None:
        strategy.quote(intent, price, post_only=post_only, **texts)

    return attaching


def _labels(signal: Vertex, price: StreamInput, chosen: Options) -> Attaching:
    max_bars = chosen["max_bars"]
    if isinstance(max_bars, bool) or not isinstance(max_bars, int):
        raise refused("E_FIELD", "max_bars", repr(max_bars), "a whole number of bars")
    if signal.kind is not SemanticKind.CAUSAL_STREAM:
        want = "a causal stream whose sign is the side of the bet, or the bars themselves"
        raise refused("E_FIELD", "signal", f"{signal.name} ({signal.kind.value})", want)
    profit, loss = _number(chosen, "profit"), _number(chosen, "loss")
    width = price * 0.0 + _number(chosen, "width")
    made = [triple_barrier(price, width, max_bars, profit=profit, loss=loss)]
    if signal is not price:
        made.append(meta_label(price, width, signal, max_bars, profit=profit, loss=loss))

    def attaching(strategy: Strategy) -> None:
        strategy.add_nodes(*made)

    return attaching


_WORKED = ("market", "limit", "stop market", "trailing stop")
RECIPES: Mapping[str, Recipe] = {
    "intent_first": Recipe(
        "A direction or target, held by market or limit orders with exits.",
        ("long", "short"),
        _WORKED,
        _TRADES,
        _trades,
    ),
    "ccxt_spot": Recipe(
        "A direction or target on a spot account: long or flat, entered by limit orders at the close.",
        ("long",),
        _WORKED,
        {**_TRADES, "limit_offset": "0"},
        _spot,
    ),
    "ccxt_futures": Recipe(
        "A direction or target on a derivatives account: long, short or flat; exits only reduce.",
        ("long", "short"),
        _WORKED,
        {**_TRADES, "long": 0.5, "short": -0.5},
        _trades,
    ),
    "market_maker": Recipe(
        "Quotes around a fair price that lean against the inventory.",
        ("long", "short"),
        ("limit",),
        {"half_spread": 0.001, "size": 1.0, "inventory_max": "10", "inventory_min": "", "skew": "1", "post_only": True},
        _market_maker,
    ),
    "triple_barrier_labels": Recipe(
        "Triple-barrier labels of the bars, and meta-labels of the side that a stream's sign is. It sends no order.",
        (),
        (),
        {"width": 0.01, "profit": 1.0, "loss": 1.0, "max_bars": 24},
        _labels,
        labels=True,
    ),
}
