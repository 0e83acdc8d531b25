"""What has reached the paper venue, as rows."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.market.ticks import Level, SeenMarket
from brokerage.domain.models.fees.volumes import DAYS_KEPT, Traded, TradedVolumes
from brokerage.domain.orders.events import EventTime
from brokerage.domain.orders.order import venue_order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.reports import VenueAct, VenueReport
from brokerage.domain.orders.states import EventKind, OrderState
from brokerage.domain.simulation.arrivals import FOUND, Arrival, OrderArrivals
from brokerage.fences.intents import INTENT, UNANSWERED
from qmtl.core.errors import NotFound
from qmtl.sql.statements.lists import bounded


def arrivals(conn: Connection, account_name: str) -> OrderArrivals:
    """What the venue has of an account's orders whose outcome is not known here."""
    venue = t.venue_orders.c
    query = (
        sa.select(t.venue_orders)
        .join(t.send_intents, INTENT.venue_order_id == venue.venue_order_id)
        .where(venue.account == account_name, UNANSWERED)
    )
    rows = conn.execute(query)
    return OrderArrivals({row.venue_order_id: Arrival(row.arrives_ns, row.answer_lost) for row in rows})


def clamp_arrivals(conn: Connection, now_ns: int, latency_bars: int) -> int:
    """Bring in arrivals on live feeds that lie farther ahead than the link is long, and what the venue has changed in
    what is now the future; how many there were.

    They were stored before the clock was set back. On a replay arrivals go by its data, which no clock moves.
    """
    venue, feeds, heads = t.venue_orders.c, t.account_feeds.c, t.orders.c
    query = (
        sa.select(venue.venue_order_id, venue.arrives_ns, feeds.interval_s)
        .join(t.send_intents, INTENT.venue_order_id == venue.venue_order_id)
        .join(t.orders, heads.order_id == INTENT.order_id)
        .outerjoin(t.account_feeds, sa.and_(feeds.account == venue.account, feeds.symbol == heads.symbol))
        .where(UNANSWERED, venue.arrives_ns > now_ns, sa.func.coalesce(feeds.session_id, "") == "")
    )
    late = [
        row.venue_order_id
        for row in conn.execute(query).all()
        if row.arrives_ns > now_ns + latency_bars * (row.interval_s or 0) * SECOND_NS
    ]
    for part in bounded(late):
        conn.execute(sa.update(t.venue_orders).where(venue.venue_order_id.in_(part)).values(arrives_ns=now_ns))
    changes = t.venue_changes.c
    on_replay = (
        sa.select(heads.order_id)
        .join(t.account_feeds, sa.and_(feeds.account == heads.account, feeds.symbol == heads.symbol))
        .where(heads.order_id == changes.order_id, sa.func.coalesce(feeds.session_id, "") != "")
    )
    ahead = sa.update(t.venue_changes).where(changes.at_ns > now_ns, sa.not_(sa.exists(on_replay)))
    return len(late) + conn.execute(ahead.values(at_ns=now_ns)).rowcount


def add_arrival(conn: Connection, order_id: str, account_name: str, arrival: Arrival) -> Arrival:
    """The venue has the order. Once: a repeat changes nothing, the answer is as it came first."""
    found = sa.select(t.venue_orders).where(t.venue_orders.c.venue_order_id == order_id)
    row = conn.execute(found).one_or_none()
    if row is not None:
        return Arrival(row.arrives_ns, row.answer_lost)
    values = {"account": account_name, "arrives_ns": arrival.at_ns, "answer_lost": arrival.answer_lost}
    conn.execute(sa.insert(t.venue_orders).values(venue_order_id=order_id, **values))
    return arrival


@dataclass(frozen=True, slots=True)
class Change:
    """A cancel or a replace that the venue has done."""

    at_ns: int
    answer_lost: bool


def change(conn: Connection, venue_order_id: str, act: VenueAct) -> Change | None:
    """What the venue has done under an id: the cancel of it, or the replace that brought it."""
    key = sa.and_(t.venue_changes.c.venue_order_id == venue_order_id, t.venue_changes.c.act == act.value)
    row = conn.execute(sa.select(t.venue_changes).where(key)).one_or_none()
    return None if row is None else Change(row.at_ns, row.answer_lost)


def add_change(
    conn: Connection, account_name: str, order_id: str, venue_order_id: str, act: VenueAct, done: Change
) -> None:
    """The venue has done a cancel or a replace."""
    values = {
        "venue_order_id": venue_order_id,
        "act": act.value,
        "account": account_name,
        "order_id": order_id,
        "at_ns": done.at_ns,
        "answer_lost": done.answer_lost,
    }
    conn.execute(sa.insert(t.venue_changes).values(values))


def unheard_changes(conn: Connection, record: OrderRecord, received_ns: int) -> list[VenueReport]:
    """What the venue has done to an order and nobody has heard of."""
    found: list[VenueReport] = []
    if record.wanted is not None:
        done = change(conn, venue_order_id(record.id, record.replaces), VenueAct.REPLACE)
        if done is not None:
            time = EventTime(done.at_ns, received_ns)
            found.append(VenueReport(record.id, EventKind.UPDATED, time, reason=FOUND, terms=record.wanted))
    if record.state is OrderState.PENDING_CANCEL:
        generation = record.replaces if found else record.generation
        done = change(conn, venue_order_id(record.id, generation), VenueAct.CANCEL)
        if done is not None:
            found.append(VenueReport(record.id, EventKind.CANCELED, EventTime(done.at_ns, received_ns), reason=FOUND))
    return found


def volumes(conn: Connection, account_name: str, instruments: Instruments) -> TradedVolumes:
    """What an account has traded at the venue. Raises NotFound (E_INSTRUMENT_UNKNOWN) for a symbol without properties:
    its trades count, and how much is not known.
    """
    found, of = TradedVolumes(), t.venue_volumes.c
    for row in conn.execute(sa.select(t.venue_volumes).where(of.account == account_name)):
        instrument = instruments.find(row.symbol)
        if instrument is None:
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"{row.symbol} was traded, which the settings no longer name")
        found.restore(row.day, Traded(instrument, row.quantity, row.notional))
    return found


def save_volumes(conn: Connection, account_name: str, traded: TradedVolumes) -> None:
    """Store what was traded since they were loaded, and forget days that no schedule looks back on."""
    of = t.venue_volumes.c
    for day, symbol in sorted(traded.changed):
        one = traded.of(day, symbol)
        key = sa.and_(of.account == account_name, of.day == day, of.symbol == symbol)
        values = {"quantity": one.quantity, "notional": one.notional}
        if not conn.execute(sa.update(t.venue_volumes).where(key).values(values)).rowcount:
            row = {"account": account_name, "day": day, "symbol": symbol, **values}
            conn.execute(sa.insert(t.venue_volumes).values(row))
        conn.execute(sa.delete(t.venue_volumes).where(of.account == account_name, of.day <= day - DAYS_KEPT))
    traded.changed.clear()


def seen_market(conn: Connection, account_name: str, symbol: str) -> SeenMarket:
    """What ticks have shown an account of a market."""
    of = t.seen_markets.c
    found = conn.execute(sa.select(t.seen_markets).where(of.account == account_name, of.symbol == symbol))
    row = found.one_or_none()
    if row is None:
        return SeenMarket()
    return SeenMarket(
        at_ns=row.at_ns,
        quoted_ns=row.quoted_ns,
        bids=_levels(row.bids),
        asks=_levels(row.asks),
        traded_ns=row.traded_ns,
        last=row.last,
        last_quantity=row.last_quantity,
        tradable=row.tradable,
        marked_ns=row.marked_ns,
        mark=row.mark,
    )


def save_seen_market(conn: Connection, account_name: str, symbol: str, seen: SeenMarket) -> None:
    """Store what ticks have shown an account of a market."""
    of = t.seen_markets.c
    values = {
        "at_ns": seen.at_ns,
        "quoted_ns": seen.quoted_ns,
        "bids": json.dumps([(level.price, level.quantity) for level in seen.bids]),
        "asks": json.dumps([(level.price, level.quantity) for level in seen.asks]),
        "traded_ns": seen.traded_ns,
        "last": seen.last,
        "last_quantity": seen.last_quantity,
        "tradable": seen.tradable,
        "marked_ns": seen.marked_ns,
        "mark": seen.mark,
    }
    key = sa.and_(of.account == account_name, of.symbol == symbol)
    if not conn.execute(sa.update(t.seen_markets).where(key).values(values)).rowcount:
        conn.execute(sa.insert(t.seen_markets).values(account=account_name, symbol=symbol, **values))


def _levels(written: str) -> tuple[Level, ...]:
    return tuple(Level(price, quantity) for price, quantity in json.loads(written))


def released_ns(conn: Connection, order_id: str) -> int:
    """The data time at which an order was last let go."""
    events = t.order_events.c
    query = sa.select(events.at_ns).where(events.order_id == order_id, events.kind == EventKind.RELEASED.value)
    found: int = conn.execute(query.order_by(events.seq.desc()).limit(1)).scalar_one()
    return found
