"""Node sets: what each attaches is what its parts by hand are; wrong names, options and signals are refused."""

from __future__ import annotations

import logging

import pytest

from brokerage.domain.models.profiles.generic import margin
from qmtl.core.errors import InvalidRequest
from qmtl.sdk import (
    AccountTerms,
    CacheView,
    Limit,
    Runner,
    SemanticKind,
    Strategy,
    StreamInput,
    labels,
    node,
    nodesets,
    signals,
)
from qmtl.sdk import indicators as ta
from qmtl.sdk.graph.vertices import Vertex
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import walk

BARS = walk(160, 5)
TERMS = AccountTerms(profile=margin(2))


def direction(price: StreamInput) -> Vertex:
    return signals.trend(ta.ema(price, 4), ta.ema(price, 9))


class Attached(Strategy):
    """A node set over a trend, or what `by_hand` does."""

    def __init__(self, name: str, **options: object) -> None:
        self.set_name, self.options = name, options

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        signal = ta.sma(price, 3) if self.set_name == "market_maker" else direction(price)
        self.add_nodes(nodesets.attach(self.set_name, signal, price, **self.options))  # type: ignore[arg-type]  # the tests' own options


class ByHand(Strategy):
    def __init__(self, name: str) -> None:
        self.set_name = name

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        match self.set_name:
            case "intent_first":
                target = signals.position_target(direction(price), long=0.5, short=-0.2)
                self.trade(target, price, stop_loss="0.02", max_bars=5)
            case "ccxt_spot":
                self.trade(signals.position_target(direction(price), long=0.95), price, order=Limit())
            case "ccxt_futures":
                target = signals.position_target(direction(price), long=0.5, short=-0.5)
                self.trade(signals.micro_batch(target, "1h"), price, trailing="0.01")
            case "market_maker":
                intent = signals.quote_intent(ta.sma(price, 3), 0.002, 0.5)
                self.quote(intent, price, inventory_max="2", inventory_min="-1", skew="2")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("intent_first", {"long": 0.5, "short": -0.2, "stop_loss": "0.02", "max_bars": 5}),
        ("ccxt_spot", {}),
        ("ccxt_futures", {"trailing": "0.01", "every": "1h"}),
        (
            "market_maker",
            {"half_spread": 0.002, "size": 0.5, "inventory_max": "2", "inventory_min": "-1", "skew": "2"},
        ),
    ],
)
def test_a_node_set_is_what_its_parts_are(name: str, options: dict[str, object]) -> None:
    attached, by_hand = assemble(Attached(name, **options)), assemble(ByHand(name))
    assert {one.node_id for one in attached.dag.nodes} == {one.node_id for one in by_hand.dag.nodes}
    one, two = (Runner.backtest(make, BARS, terms=TERMS).replay for make in (Attached(name, **options), ByHand(name)))
    assert len(one.fills) > 3
    assert one.fills == two.fills


def test_labels_send_no_order_and_are_two_nodes() -> None:
    price = StreamInput("BTC-USD")
    side = ta.ema(price, 4) - ta.ema(price, 9)
    made = nodesets.attach("triple_barrier_labels", side, price, width=0.02, max_bars=6)
    assert made.capabilities().order_types == ()

    class Labelled(Strategy):
        def setup(self) -> None:
            self.add_nodes(made)

    assembled = assemble(Labelled())
    assert assembled.rules == ()
    kinds = [one.spec.node_type for one in assembled.dag.nodes if one.kind.value == "DELAYED_STREAM"]
    assert len(kinds) == 2
    with pytest.raises(InvalidRequest, match="want a causal stream whose sign is the side of the bet"):
        nodesets.attach("triple_barrier_labels", direction(price), price)


def test_it_says_what_it_is_and_can() -> None:
    price = StreamInput("BTC-USD")
    made = nodesets.attach("ccxt_spot", direction(price), price, stop_loss="0.02")
    said = made.describe()
    assert (said["name"], said["signal"], said["symbol"], said["interval_s"]) == ("ccxt_spot", "trend", "BTC-USD", 900)
    assert said["options"] == {**made.capabilities().options, "stop_loss": "0.02"}
    assert made.capabilities().sides == ("long",)
    assert made.capabilities().portfolio_scopes == ("strategy",)
    known = {"intent_first", "ccxt_spot", "ccxt_futures", "market_maker", "triple_barrier_labels"}
    assert set(nodesets.names()) >= known


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("no_such", {}, "E_FIELD: name is 'no_such', want one of intent_first"),
        ("intent_first", {"colour": "red"}, "E_FIELD: colour is 'red', want an option of intent_first"),
        ("intent_first", {"portfolio_scope": "world"}, "E_FIELD: portfolio_scope is 'world', want strategy"),
        ("intent_first", {"activation_weighting": 1}, "E_FIELD: activation_weighting is 1"),
        ("intent_first", {"label_order_guard": "no"}, "E_FIELD: label_order_guard is 'no', want block, warn or off"),
        ("intent_first", {"long": "much"}, "E_FIELD: long is 'much', want a number"),
        ("intent_first", {"hold": "no"}, "E_FIELD: hold is 'no', want True or False"),
        ("intent_first", {"max_bars": "3"}, "E_FIELD: max_bars is '3'"),
        ("intent_first", {"sizing": "lots"}, "E_FIELD: sizing is 'lots'"),
        ("ccxt_spot", {"short": -0.5}, "E_FIELD: short is -0.5, want 0"),
        ("market_maker", {"activation_weighting": False}, "E_FIELD: activation_weighting is False"),
        ("triple_barrier_labels", {"max_bars": 1.5}, "E_FIELD: max_bars is 1.5"),
    ],
)
def test_a_wrong_name_or_option_is_refused(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        assemble(Attached(name, **options))


def test_a_spot_account_takes_no_target_that_may_be_short() -> None:
    price = StreamInput("BTC-USD")

    @node(kind=SemanticKind.DECISION_VALUE)
    def learned(view: CacheView) -> float:
        return float(view[0].latest)

    shorts = signals.position_target(direction(price), long=0.5, short=-0.2)
    for target in (shorts, learned(direction(price))):
        with pytest.raises(InvalidRequest, match=r"E_FIELD: signal is .*, want a direction, or a position_target"):
            nodesets.attach("ccxt_spot", target, price)
    nodesets.attach("ccxt_spot", signals.position_target(direction(price), long=0.5), price)


def test_a_stream_is_no_direction() -> None:
    price = StreamInput("BTC-USD")
    with pytest.raises(InvalidRequest, match="E_NOT_A_DECISION"):
        nodesets.attach("intent_first", ta.ema(price, 3), price)


@pytest.mark.parametrize(("guard", "at_once"), [("block", True), ("warn", False), ("off", False)])
def test_no_guard_lets_a_label_reach_an_order(guard: str, at_once: bool, caplog: pytest.LogCaptureFixture) -> None:
    class Leaking(Strategy):
        attached = False

        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            label = labels.triple_barrier(price, price * 0.0 + 0.01, 4)
            leaks = signals.threshold(label, above=0.5, below=-0.5)
            self.add_nodes(nodesets.attach("intent_first", leaks, price, label_order_guard=guard))
            type(self).attached = True

    with caplog.at_level(logging.WARNING), pytest.raises(InvalidRequest, match="E_DELAYED_STREAM_LEAK"):
        assemble(Leaking())
    assert Leaking.attached is not at_once
    assert bool(caplog.records) == (guard == "warn")


def test_without_weighting_a_strategy_orders_the_whole_and_leaves_the_cut_to_the_brokerage() -> None:
    whole, weighted = (assemble(Attached("intent_first", activation_weighting=on)).rules[0] for on in (False, True))
    assert (whole.weighted, weighted.weighted) == (False, True)  # type: ignore[union-attr]  # both are trade rules
