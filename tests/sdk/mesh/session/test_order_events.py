"""What a strategy hears of its orders where events, listings and late fills meet."""

from __future__ import annotations

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.sdk import OrderState, OrderUpdate, Strategy
from qmtl.sdk.mesh.session.order_events import OrderListener

NAME = "BTC-USD-1"
KINDS = {
    orderpb.ORDER_STATE_ACCEPTED: orderpb.ORDER_EVENT_KIND_ACCEPTED,
    orderpb.ORDER_STATE_CANCELED: orderpb.ORDER_EVENT_KIND_CANCELED,
}


class Listening(Strategy):
    name = "listening"

    def __init__(self) -> None:
        self.heard = list[tuple[OrderState, str]]()

    def on_order(self, update: OrderUpdate) -> None:
        self.heard.append((update.state, str(update.filled)))


def event(state: orderpb.OrderState, filled: str, *, fills: bool = False) -> orderpb.OrderEvent:
    kind = orderpb.ORDER_EVENT_KIND_FILLED if fills else KINDS[state]
    made = orderpb.OrderEvent(client_order_id=NAME, kind=kind, state=state, cumulative_quantity=filled)
    made.receive_time.FromSeconds(1)
    return made


def status(state: orderpb.OrderState, filled: str) -> orderpb.OrderStatus:
    made = orderpb.OrderStatus(
        order=orderpb.Order(client_order_id=NAME, symbol="BTC-USD"), state=state, cumulative_quantity=filled
    )
    made.updated_at.FromSeconds(1)
    return made


def test_a_fill_that_comes_after_the_end_of_its_order_is_told() -> None:
    """A venue lists what it traded after it confirmed the cancel."""
    strategy = Listening()
    listener = OrderListener(strategy, ())
    listener.hear(event(orderpb.ORDER_STATE_CANCELED, "0"))
    listener.hear(event(orderpb.ORDER_STATE_CANCELED, "1", fills=True))
    listener.hear(event(orderpb.ORDER_STATE_FILLED, "2", fills=True))
    assert strategy.heard == [
        (OrderState.CANCELED, "0"),
        (OrderState.PARTIALLY_FILLED, "1"),
        (OrderState.FILLED, "2"),
    ]


def test_events_from_before_a_listing_are_told_no_more() -> None:
    strategy = Listening()
    listener = OrderListener(strategy, ())
    listener.begin([status(orderpb.ORDER_STATE_ACCEPTED, "0")])
    listener.compare([status(orderpb.ORDER_STATE_PARTIALLY_FILLED, "2")])
    listener.hear(event(orderpb.ORDER_STATE_PARTIALLY_FILLED, "1", fills=True))
    listener.hear(event(orderpb.ORDER_STATE_PARTIALLY_FILLED, "3", fills=True))
    listener.compare([status(orderpb.ORDER_STATE_CANCELED, "3")])
    listener.hear(event(orderpb.ORDER_STATE_PARTIALLY_FILLED, "3", fills=True))
    listener.hear(event(orderpb.ORDER_STATE_CANCELED, "3"))
    assert strategy.heard == [
        (OrderState.PARTIALLY_FILLED, "2"),
        (OrderState.PARTIALLY_FILLED, "3"),
        (OrderState.CANCELED, "3"),
    ]


def test_a_listing_tells_of_fills_that_left_the_state_as_it_was() -> None:
    strategy = Listening()
    listener = OrderListener(strategy, ())
    listener.hear(event(orderpb.ORDER_STATE_PARTIALLY_FILLED, "1", fills=True))
    listener.compare([status(orderpb.ORDER_STATE_PARTIALLY_FILLED, "4")])
    listener.compare([status(orderpb.ORDER_STATE_PARTIALLY_FILLED, "4")])
    assert strategy.heard == [(OrderState.PARTIALLY_FILLED, "1"), (OrderState.PARTIALLY_FILLED, "4")]
