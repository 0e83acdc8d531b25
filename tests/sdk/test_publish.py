"""What a strategy may publish: causal streams of one source, each once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Strategy, StreamInput, feature, indicators, labels
from qmtl.sdk.strategy.assembly import assemble

BTC, ETH = StreamInput("BTC-USD", interval="15m"), StreamInput("ETH-USD", interval="15m")


class Publishing(Strategy):
    """Publishes as it is told."""

    def __init__(self, act: Callable[[Strategy], None]) -> None:
        self.act = act

    def setup(self) -> None:
        self.act(self)


def test_a_published_node_is_part_of_the_graph_with_its_source() -> None:
    average = indicators.ema(BTC, 3)
    made = assemble(Publishing(lambda strategy: strategy.publish("slow", average, params={"window": 3})))
    [rule] = made.published
    assert (rule.factor, rule.node, rule.source.symbol, rule.params) == ("slow", average, "BTC-USD", {"window": 3})
    assert {vertex.node_id for vertex in made.dag.nodes} == {BTC.node_id, average.node_id}


def twice(strategy: Strategy) -> None:
    strategy.publish("slow", indicators.ema(BTC, 3))
    strategy.publish("slow", indicators.ema(BTC, 4))


@pytest.mark.parametrize(
    ("act", "want"),
    [
        (lambda strategy: strategy.publish("both", BTC - ETH), "sources BTC-USD, ETH-USD, want a node of one source"),
        (lambda strategy: strategy.publish("label", labels.time_barrier(BTC, 4)), "want a causal stream"),
        (twice, "slow twice"),
        (
            lambda strategy: strategy.publish("more", feature(BTC, "slow") * 2.0),
            "which reads feature slow, want a node of bars only",
        ),
        (lambda strategy: strategy.publish("same", feature(BTC, "slow")), "want a causal stream"),
        (lambda strategy: strategy.publish("held", indicators.ema(strategy.position(BTC), 3)), "want a causal stream"),
        (lambda strategy: strategy.publish("held", strategy.position(BTC)), "want a causal stream"),
    ],
)
def test_what_is_no_feature_is_refused(act: Callable[[Strategy], None], want: str) -> None:
    with pytest.raises(InvalidRequest, match=want):
        assemble(Publishing(act))


def test_one_factor_may_have_several_parameters_and_symbols() -> None:
    def act(strategy: Strategy) -> None:
        for price, window in ((BTC, 3), (BTC, 4), (ETH, 3)):
            strategy.publish("slow", indicators.ema(price, window), params={"window": window})

    assert len(assemble(Publishing(act)).published) == 3
