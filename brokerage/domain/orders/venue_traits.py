"""What a venue takes of orders. What it does not take is denied before it rests."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.orders.states import OrderType, TimeInForce

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class VenueTraits:
    """The order types and times in force a venue holds natively, and how it answers.

    `answers_in_commit`: the venue's answer is known in the transaction that takes the order. `order_id_length_max` is
    the longest client id it takes. An order that it does not list `acceptance_window_ns` after its send is not there.
    `replaces_in_one_act`: an order of which nothing has filled is replaced wholly or not at all; elsewhere, and after a
    fill, a replace is a cancel and a new order, between which nothing works. `holds_sales`: a resting sale holds its
    coins, so nothing else can sell them until it has ended. `post_only`: it sees to it that such an order only rests.
    `profile` has the fees that it publishes; empty: none is known here.
    """

    name: str
    types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    native_reduce_only: bool
    order_id_length_max: int
    acceptance_window_ns: int
    answers_in_commit: bool
    replaces_in_one_act: bool = False
    holds_sales: bool = False
    post_only: bool = False
    profile: str = ""


PAPER = VenueTraits(
    name="paper",
    types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    native_reduce_only=True,
    order_id_length_max=64,
    acceptance_window_ns=SECOND_NS,
    answers_in_commit=True,
    replaces_in_one_act=True,
    post_only=True,
)
"""The simulated venue of backtests and paper accounts, over a link without latency."""
