"""The fence as a model: random fences, orders, stops, bars, lost answers and deaths, in every order.

Between the commit of a freeze and its reopening nothing reaches the venue but what the freeze's reply listed; no order
goes on the wire twice; the books stay the replay of their events. At each door (the gate's order, a stop's trigger,
the reopening, the wire) the model says by rules of its own which acts go, and just those go: a drain lets what reduces
pass and nothing else, an open fence the same on a side where the strategy has no standing, a freeze nothing. A death is
a transaction that is not committed, or one that is while the messages the process held are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage import verify
from brokerage.accounts import opening
from brokerage.books import store as books_store
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, OrderName, Side, order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueReport
from brokerage.domain.orders.states import EventKind, OrderState, OrderType
from brokerage.domain.risk.fence import Fence, FenceState
from brokerage.feeds import show as feeds_show
from brokerage.fences import change, intents
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.orders.entry import submit as orders_submit
from brokerage.orders.entry.cancel import cancel_order
from brokerage.venues.dispatch import emulation, outcomes, pending
from brokerage.venues.dispatch import send as dispatch_send
from brokerage.venues.paper import venue as paper_venue
from qmtl.core.errors import NotReady
from tests.brokerage.samples import ACCOUNT, ACTOR, FEED, GATE, MARKET, OWNER, bar, fence, order
from tests.support.shared.examples import examples

T = TypeVar("T")
SIDES = st.sampled_from(Side)
PRICES = st.integers(97, 103)
QUANTITIES = st.sampled_from([1, 4, 9, 30])
PICK = st.integers(0, 1_000)
FATES = st.sampled_from([*["lives"] * 6, "dies before the commit", "dies after it"])
LINK_ACTS = st.sampled_from(["send", "send", "send", "deliver", "answer", "lose", "resolve", "cancel", "look"])
THEN = st.sampled_from(["waits", "waits", "is sent", "is late"])
NEAR_STOPS = {Side.SELL: 98, Side.BUY: 103}
SHORTING = replace(MARKET, profile=BrokerageProfile(buying_power=BuyingPower.MARGIN), emulate_stops=True)


def reduces(side: Side, quantity: int, held: int) -> bool:
    """Whether an act takes off a position and does not turn it round."""
    return 0 < quantity <= (held if side is Side.SELL else -held)


def stop_order(name: str, side: Side, quantity: int, price: int) -> Order:
    return order(name, side, quantity, type=OrderType.STOP_MARKET, stop_price=Decimal(price))


def query(conn: Connection, market: MarketContext, identity: str) -> VenueReport | None:
    """What the venue has of an order, if there is one."""
    found = outcomes.orders_at_venue(conn, market, identity, 32)[0]
    return None if found is None else paper_venue.query(conn, market, OWNER.account, found, 14)


def reached_by(shown: Bar, record: OrderRecord) -> bool:
    """Whether a bar's prices come to a stop."""
    stop = record.stop or 0
    return shown.low <= stop if record.order.side is Side.SELL else shown.high >= stop


def whole_transactions() -> sa.Engine:
    """A store in memory whose transactions begin where they are begun: the driver's own begin late, and end with the
    first savepoint.
    """
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)

    @sa.event.listens_for(engine, "connect")
    def connected(driver: Any, record: object) -> None:
        driver.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def begun(conn: Connection) -> None:
        conn.exec_driver_sql("BEGIN")

    return engine


class FenceMachine(RuleBasedStateMachine):
    """One world with one account that may be long or short, over a link that loses every other answer."""

    market: MarketContext = replace(SHORTING, link=Link(latency_ms=1, answer_loss=RATE_ONE // 2))

    def __init__(self) -> None:
        super().__init__()
        self.engine = whole_transactions()
        self.names: list[str] = []
        self.flying: set[str] = set()
        self.marked: set[str] = set()
        self.listed: set[str] | None = None  # what may arrive while the fence is frozen
        self.venue: set[str] = set()
        self.epoch = 1
        self.state = FenceState.OPEN
        self.adding = frozenset(Side)  # the sides on which the strategy may add
        self.minute = 1
        self.mark = 0  # the last close, in cents

    def teardown(self) -> None:
        if self.venue:
            assert self.run(lambda conn: verify.verify_books(conn, self.market)) == 1
        self.engine.dispose()

    @initialize()
    def opened(self) -> None:
        """Twenty long, with an order and a watched stop of each side."""
        t.metadata.create_all(self.engine)
        direct = replace(self.market, link=MARKET.link)

        def begin(conn: Connection) -> None:
            opening.open_account(conn, ACCOUNT, "w1", ACTOR)
            change.set_fence(conn, self.wanted_fence(1, FenceState.OPEN, self.adding), ACTOR, 5)
            feeds_show.show_bars(conn, direct, FEED, [bar(0)], 0, 7)
            first = order("first", quantity=20)
            orders_submit.submit(conn, direct, first, GATE, 6)
            feeds_show.show_bars(conn, direct, FEED, [bar(1)], 0, 7)

        self.run(begin)
        self.minute, self.mark = 2, bar(1).close
        for side in Side:
            self.submitted(order(f"{side.value}-order", side, 4), 1, "lives")
            self.submitted(stop_order(f"{side.value}-stop", side, 4, NEAR_STOPS[side]), 1, "lives")
        self.venue = self.run(self.reached)

    def run(self, fn: Callable[[Connection], T], fate: str = "lives") -> T:
        """One transaction of the process, and whether it survives it. Whoever dies forgets what it held."""
        with self.engine.connect() as conn, conn.begin() as transaction:
            answer = fn(conn)
            if fate == "dies before the commit":
                transaction.rollback()
        if fate != "lives":
            self.flying.clear()
        return answer

    def reached(self, conn: Connection) -> set[str]:
        """What the venue has, as the venue knows it: here, or accepted in one commit where there is no link."""
        accepted = sa.select(t.order_events.c.order_id).where(t.order_events.c.kind == EventKind.ACCEPTED.value)
        found = set(conn.execute(sa.select(t.venue_orders.c.venue_order_id)).scalars())
        return found | set(conn.execute(accepted).scalars())

    def lets_pass(self, side: Side, quantity: int, held: int) -> bool:
        """What the fence says to an act, in the words of the specification."""
        return self.adds(side) or (self.state is not FenceState.FROZEN and reduces(side, quantity, held))

    def adds(self, side: Side) -> bool:
        return self.state is FenceState.OPEN and side in self.adding

    def wanted_fence(self, epoch: int, state: FenceState, adding: frozenset[Side]) -> Fence:
        return fence(epoch, state, standings=frozenset((OWNER.strategy_id, side) for side in adding))

    def submitted(self, wanted: Order, epoch: int, fate: str) -> None:
        gate, held = replace(GATE, epoch=epoch), self.run(self.held)
        self.names.append(wanted.client_order_id)
        try:
            stored, _ = self.run(lambda conn: orders_submit.submit(conn, self.market, wanted, gate, 6), fate)
        except NotReady:
            assert epoch < self.epoch
            return
        assert epoch == self.epoch
        passes = self.lets_pass(wanted.side, int(wanted.quantity), held)
        assert passes == (stored.record.denial is not Denial.FENCED)
        assert not passes or stored.record.order.reduce_only == (not self.adds(wanted.side))

    def intent(self, pick: int, *, sent: bool) -> tuple[OrderName, str]:
        """An order whose outcome is not known, before the wire or on it; without any, one of the last there were."""
        found = [intent for intent in self.run(pending.pending) if sent == (intent.wire_ns is not None)]
        if found:
            chosen = found[pick % len(found)]
            return chosen.name, chosen.order_id
        name = self.names[-1 - pick % min(len(self.names), 6)]
        return OrderName(OWNER, name), order_id(OWNER, name)

    def held(self, conn: Connection) -> int:
        return sum(position.quantity for _, _, position in books_store.load_positions(conn, "acc"))

    def watched(self, conn: Connection) -> Sequence[OrderRecord]:
        """Stops that wait for their price."""
        found = orders_store.open_records(conn, self.market.instruments, "acc")
        return [record for record in found if record.state is OrderState.EMULATED]

    def beyond(self, record: OrderRecord) -> bool:
        """Whether the last price is at a stop or beyond it."""
        stop = record.stop or 0
        return self.mark <= stop if record.order.side is Side.SELL else self.mark >= stop

    def check_let_go(self, conn: Connection, before: Sequence[OrderRecord], reached: Collection[str]) -> None:
        """Of the stops that were watched, those go that were reached and that the fence lets pass; the rest waits."""
        held, left = self.held(conn), {record.id for record in self.watched(conn)}
        for record in before:
            goes = record.id in reached and self.lets_pass(record.order.side, record.remaining, held)
            assert goes == (record.id not in left)
            self.check_narrowed(conn, record, went=goes)

    def check_sent(self, conn: Connection, name: OrderName, before: OrderRecord, epoch: int, *, went: bool) -> None:
        """Before the wire: a gateway's order goes under its own epoch or is denied, a stop is never denied."""
        may = self.lets_pass(before.order.side, before.remaining, self.held(conn))
        if before.triggered:
            assert went == (may and (epoch == self.epoch or self.beyond(before)))
        else:
            assert went == (may and epoch == self.epoch)
        kept = OrderState.RELEASED if before.triggered else OrderState.DENIED
        after = orders_store.order(conn, name, self.market.instruments).record
        assert after.state is (OrderState.SUBMITTED if went else kept)
        self.check_narrowed(conn, before, went=went)

    def check_narrowed(self, conn: Connection, record: OrderRecord, *, went: bool) -> None:
        """In a drain two acts that reduce must not turn the position round together: each goes as reduce-only."""
        name = OrderName(OWNER, record.order.client_order_id)
        after = orders_store.order(conn, name, self.market.instruments).record
        drained = went and not self.adds(record.order.side)
        assert after.order.reduce_only == (record.order.reduce_only or drained)

    @rule(side=SIDES, stop=st.none() | PRICES, quantity=QUANTITIES, then=THEN, fate=FATES)
    def submit(self, side: Side, stop: int | None, quantity: int, then: str, fate: str) -> None:
        """An order that waits for its send, or is sent at once if it may, or was gated under an older epoch."""
        name = f"o{len(self.names)}"
        wanted = order(name, side, quantity) if stop is None else stop_order(name, side, quantity, stop)
        self.submitted(wanted, self.epoch - (then == "is late"), fate)
        if then == "is sent" and fate == "lives":
            self.to_wire(OrderName(OWNER, name), order_id(OWNER, name), fate)

    @rule(price=PRICES, fate=FATES)
    def bar(self, price: int, fate: str) -> None:
        shown = bar(self.minute, price)

        def show(conn: Connection) -> None:
            before = self.watched(conn)
            feeds_show.show_bars(conn, self.market, FEED, [shown], 0, 7)
            touched = {record.id for record in before if reached_by(shown, record)}
            self.check_let_go(conn, before, touched)

        self.run(show, fate)
        if fate != "dies before the commit":
            self.minute, self.mark = self.minute + 1, shown.close

    @rule(
        state=st.sampled_from(FenceState),
        adding=st.frozensets(SIDES),
        retry=st.sampled_from([False, False, False, True]),
        fate=FATES,
    )
    def move_fence(self, state: FenceState, adding: frozenset[Side], retry: bool, fate: str) -> None:
        now, then = (self.epoch, self.state, self.adding), (self.epoch + 1, state, adding)
        wanted = self.wanted_fence(*(now if retry else then))
        _, _, on_the_wire = self.run(lambda conn: change.set_fence(conn, wanted, ACTOR, 5), fate)
        if fate == "dies before the commit":
            return
        self.epoch, self.state = wanted.epoch, wanted.state
        self.adding = self.adding if retry else adding
        listed = {intent.venue_order_id for intent in on_the_wire}
        if wanted.state is not FenceState.FROZEN:
            self.listed = None
        elif self.listed is None:
            self.listed = listed
        else:
            assert listed <= self.listed
        if fate == "lives":
            self.look_at_stops(fate)  # as the sender does when a fence has moved

    @precondition(lambda self: self.names)
    @rule(act=LINK_ACTS, pick=PICK, sent=st.booleans(), fate=FATES)
    def link(self, act: str, pick: int, sent: bool, fate: str) -> None:
        """One step on the way to the venue; few rules with much in each are tried together more often."""
        match act:
            case "send":
                self.to_wire(*self.intent(pick, sent=pick % 4 == 0), fate)
            case "deliver":
                self.deliver(pick, fate)
            case "look":
                self.look_at_stops(fate)
            case _:
                self.hear(act, *self.intent(pick, sent=sent), fate)

    def to_wire(self, name: OrderName, identity: str, fate: str) -> None:
        def send(conn: Connection) -> bool:
            before, intent = (
                orders_store.find_order(conn, name, self.market.instruments),
                intents.unanswered(conn, identity),
            )
            went = dispatch_send.to_wire(conn, self.market, name, identity, 10)
            if before is not None and intent is not None and intent.wire_ns is None:
                self.check_sent(conn, name, before.record, intent.epoch, went=went)
            return went

        went = self.run(send, fate)
        if went and fate != "dies before the commit":
            assert self.state is not FenceState.FROZEN
            assert identity not in self.marked
            self.marked.add(identity)
            if fate == "lives":
                self.flying.add(identity)

    def deliver(self, pick: int, fate: str) -> None:
        if not self.flying:
            return
        identity = sorted(self.flying)[pick % len(self.flying)]
        self.flying.discard(identity)
        self.run(lambda conn: paper_venue.arrive(conn, self.market, identity, 11), fate)

    def hear(self, act: str, name: OrderName, identity: str, fate: str) -> None:
        acts: dict[str, Callable[[Connection], object]] = {
            "answer": partial(outcomes.answer, market=self.market, name=name, order_id=identity, now_ns=12),
            "lose": partial(outcomes.lose, market=self.market, name=name, order_id=identity, now_ns=13),
            "resolve": lambda conn: (
                (found := query(conn, self.market, identity)) and outcomes.resolve(conn, self.market, name, found)
            ),
            "cancel": lambda conn: (
                orders_store.find_order(conn, name, self.market.instruments)
                and cancel_order(conn, self.market, name, 8)
            ),
        }
        self.run(acts[act], fate)

    def look_at_stops(self, fate: str) -> None:
        def look(conn: Connection) -> None:
            before = self.watched(conn)
            emulation.release_reached(conn, self.market, "acc", 15)
            self.check_let_go(conn, before, {record.id for record in before if self.beyond(record)})

        self.run(look, fate)

    @invariant()
    def nothing_passes_a_freeze_but_what_it_listed(self) -> None:
        if self.epoch and self.names:
            venue = self.run(self.reached)
            new, self.venue = venue - self.venue, venue
            assert self.listed is None or new <= self.listed

    @invariant()
    def what_is_listed_is_exactly_what_is_on_the_wire(self) -> None:
        if self.names:
            rows = self.run(lambda conn: intents.on_the_wire(conn, OWNER.world_id))
            listed = {row.venue_order_id for row in rows}
            heads = sa.select(t.orders.c.order_id).where(
                sa.or_(
                    t.orders.c.state == "SUBMITTED",
                    sa.and_(t.orders.c.state == "PENDING_CANCEL", t.orders.c.previous == "SUBMITTED"),
                )
            )
            assert listed == set(self.run(lambda conn: set(conn.execute(heads).scalars())))


class NearFenceMachine(FenceMachine):
    """The same with the default link: the venue answers in the commit that takes the order."""

    market = SHORTING


STEPS = settings(max_examples=examples(15, 40), stateful_step_count=40, deadline=None)

TestFence = FenceMachine.TestCase
TestFence.settings = STEPS
TestNearFence = NearFenceMachine.TestCase
TestNearFence.settings = settings(STEPS, max_examples=examples(8, 20))
