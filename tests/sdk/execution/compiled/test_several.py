"""Several symbols in one account: the replay in integers, compiled or not, is the replay of every bar."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.models.profiles.generic import margin, spot
from qmtl.sdk import Sizing
from qmtl.sdk.execution.compiled.paying import Compiling
from tests.sdk.execution.test_fast_path import CASES, MARGINS, SPOTS, Case, assert_equal, replace_case, run
from tests.support.shared.examples import examples

SYMBOLS = st.sampled_from([("BTC-USD", "ETH-USD"), ("ETH-USD", "AAPL", "BTC-USD")])
TARGETS = st.sampled_from([(0.3, 0.0), (0.3, -0.3), (0.6, -0.2), (0.95, 0.0), (0.45, -1.5)])
SEVERAL = st.builds(
    lambda case, symbols, profile, targets, cash: replace(
        case,
        symbols=symbols,
        profile=profile,
        long=targets[0],
        short=targets[1],
        cash=cash,
        latency_s=0,
        acts=False,
    ),
    CASES,
    SYMBOLS,
    st.one_of(SPOTS, MARGINS),
    TARGETS,
    st.sampled_from([100_000, 5_000_000]),
)


@given(case=SEVERAL)
@settings(deadline=None, max_examples=examples(30, 300))
def test_several_symbols_in_integers_are_the_replay_of_every_bar(case: Case) -> None:
    (plain, heard), (slow, told) = run(case, compiling=Compiling.PLAIN), run(case, every=True)
    assert_equal(plain, slow)
    assert heard == told


def plain_case() -> Case:
    """Three symbols that are traded long and short, where all fills are whole."""
    case = replace(replace_case(bars=700), symbols=("BTC-USD", "ETH-USD", "AAPL"), fast=3, slow=9, long=0.4, short=-0.4)
    return replace(case, cash=5_000_000, profile=margin(2, "0.001", participation="0"))


@pytest.mark.soak
def test_several_symbols_are_compiled_from_one_close_without_orders_to_another() -> None:
    case = plain_case()
    (made, heard), (slow, told) = run(case, compiling=Compiling.ALWAYS), run(case, every=True)
    assert_equal(made, slow)
    assert heard == told
    assert len(made.fills) > 200
    assert made.path.startswith("compiled: ")
    assert made.visited["COMPILED"] > 0.5 * sum(made.visited.values())  # bars without volume are left to the event path
    names = [order.client_order_id for order in made.orders]  # type: ignore[union-attr]  # there are no lists
    assert any(name.endswith("-close") for name in names)


def test_what_grows_waits_in_integers_for_what_reduces() -> None:
    case = replace(plain_case(), profile=spot("0.001", participation="0"), long=0.33, short=0.0)
    (plain, heard), (slow, told) = run(case, compiling=Compiling.PLAIN), run(case, every=True)
    assert_equal(plain, slow)
    assert heard == told
    assert plain.path.startswith("in integers: ")
    assert plain.visited["COMPILED"] > 0.5 * sum(plain.visited.values())


def test_what_is_not_taken_together_says_why() -> None:
    several = replace(plain_case(), bars=40)
    units, _ = run(replace(several, long=1 / 3), compiling=Compiling.PLAIN)
    assert units.path.endswith("targets beyond 64 bits (AAPL)")
    late, _ = run(replace(several, latency_s=60), compiling=Compiling.PLAIN)
    assert late.path == "past quiet bars: latency, or limits of the account"
    few, _ = run(replace(several, fast=30, slow=30), compiling=Compiling.WHERE_IT_PAYS)
    assert few.path == "past quiet bars: 0 decisions in 40 bars"
    same, _ = run(replace(several, sizing=Sizing.UNITS, long=1.0, short=0.0), compiling=Compiling.PLAIN)
    assert same.path.startswith("in integers: ")
