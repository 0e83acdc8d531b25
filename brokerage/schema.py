"""Tables of the brokerage. Instants are integer ns, amounts scaled int64, prices text, enums their names.

`order_events` is the truth of orders and is only ever appended to; the heads in `orders`, `positions` and `cash` are
its fold, kept in the same transaction so that reads need no replay. At start verify.verify_books proves them equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row

from controlbus.outbox.outbox import outbox_tables

metadata = sa.MetaData()
outbox = outbox_tables(metadata)

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only INTEGER is a rowid in SQLite


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names]


def _int(name: str, *, key: bool = False, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, _BIG, primary_key=key, nullable=nullable, autoincrement=False)


class _PriceUnits(sa.types.TypeDecorator[int]):
    """A price in units of its instrument's scale: an integer of any width, kept as text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else int(value)


def _price(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, _PriceUnits, nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


accounts = sa.Table(
    "accounts",
    metadata,
    _text("account", key=True),
    *_texts("type", "venue", "base_currency"),
    _int("starting_cash"),
    _int("fee_rate"),
    _text("profile"),  # empty: fee_rate and the settings
    _text("costs"),  # least maker fee, taker fee and slippage, largest participation, as JSON; empty: none
    _int("leverage"),
    _text("trading_state"),
    _int("created_ns"),
    _int("event_sequence"),
    _int("fill_sequence"),
    _int("rate_ns"),  # when the last order allowed by the rate limit would have come at an even pace
    _int("peak_equity", nullable=True),
    _int("circuit_ns", nullable=True),  # when the drawdown circuit opened
    _int("margin_warned_ns"),  # since when margin is short; 0: it is not
    _int("missed_ns"),  # close of the last bar that had no effect; 0: all had
    _int("carried_ns"),  # up to where its cash has settled; 0: time moves none
    _int("interest_ns"),  # up to where its cash has borne interest
)

account_limits = sa.Table("account_limits", metadata, _text("account", key=True), _int("revision"), _text("limits"))

account_worlds = sa.Table("account_worlds", metadata, _text("account", key=True), _text("world_id", key=True))
sa.Index("account_worlds_world", account_worlds.c.world_id)

account_feeds = sa.Table(
    "account_feeds",
    metadata,
    _text("account", key=True),
    _text("symbol", key=True),
    _text("preset"),
    _text("session_id"),
    _int("interval_s"),
    _int("position_ns"),  # close of the last bar processed: bars that close at or before it are skipped
    _int("carried_ns"),  # up to where time has charged the positions in it; 0: not begun
    _flag("ended"),
)
sa.Index("account_feeds_source", account_feeds.c.preset, account_feeds.c.session_id)

marks = sa.Table(
    "marks",
    metadata,
    _text("preset", key=True),
    _text("session_id", key=True),
    _text("symbol", key=True),
    _price("price"),
    _int("at_ns"),
    _int("bar_ns"),
)

# The last price of a UTC day that is over, by feed; days are counted from the epoch.
day_marks = sa.Table(
    "day_marks",
    metadata,
    *(_text(name, key=True) for name in ("preset", "session_id", "symbol")),
    _int("day", key=True),
    _price("price"),
)

orders = sa.Table(
    "orders",
    metadata,
    _text("order_id", key=True),
    *_texts("account", "world_id", "strategy_id", "client_order_id", "symbol", "venue", "side", "type", "tif"),
    _text("asked_quantity"),  # what was asked for is decimal text, what is worked is scaled
    *_texts("asked_limit", "asked_stop", "trail_offset", "trail_offset_type", "limit_offset", "position_target"),
    _int("asked_expire_ns", nullable=True),
    _flag("reduce_only"),
    _flag("post_only"),
    _text("position_side"),
    _int("decided_ns", nullable=True),
    _int("strategy_version"),
    _text("tags"),  # JSON
    *(_text(name) for name in ("list_id", "parent", "contingency", "linked")),  # client order ids; linked is JSON
    _flag("gate_reduce_only"),
    _int("epoch"),
    _flag("open"),
    _text("state"),
    _text("previous"),
    _int("seq"),
    _int("quantity"),
    _price("limit_price", nullable=True),
    _price("stop_price", nullable=True),
    _int("expire_ns", nullable=True),
    _int("filled"),
    _int("notional"),
    _flag("triggered"),
    _int("accepted_ns"),
    _int("created_ns"),
    _int("updated_ns"),
    *_texts("denial", "detail", "flag"),
    _flag("unresolved"),
    _int("created_sequence"),
    _price("worst_price"),  # 0: none, valued at its own price or at the mark
    _int("wanted_quantity", nullable=True),  # a replace whose outcome is not known; null: none
    _price("wanted_limit", nullable=True),
    _price("wanted_stop", nullable=True),
    _int("wanted_expire_ns", nullable=True),
    _price("wanted_worst", nullable=True),
    *(_int(name) for name in ("replaces", "generation", "begun")),
    *_texts("shares", "booked"),  # of a netted order, JSON; else empty
    sa.UniqueConstraint("account", "world_id", "strategy_id", "client_order_id", name="orders_client_order_id"),
    sa.UniqueConstraint("account", "created_sequence", name="orders_created"),
)
_listed = orders.c.list_id != ""
sa.Index("orders_list", orders.c.account, orders.c.list_id, sqlite_where=_listed, postgresql_where=_listed)
sa.Index("orders_open", orders.c.account, sqlite_where=orders.c.open, postgresql_where=orders.c.open)

order_events = sa.Table(
    "order_events",
    metadata,
    _text("order_id", key=True),
    _int("seq", key=True),
    _text("account"),
    _int("sequence"),
    _text("kind"),
    _text("state"),
    _int("at_ns"),
    _int("received_ns"),
    *_texts("denial", "detail", "flag"),
    _int("quantity"),
    _price("limit_price", nullable=True),
    _price("stop_price", nullable=True),
    _int("expire_ns", nullable=True),
    _flag("unresolved"),
    _text("trade_id"),
    _int("fill_quantity"),
    _price("fill_price"),
    _int("fee"),
    _text("fee_currency"),
    _text("liquidity"),
    _int("venue_ns"),
    _int("cumulative"),
    _price("worst_price"),
    sa.UniqueConstraint("account", "sequence", name="order_events_sequence"),
)

order_replaces = sa.Table(
    "order_replaces",
    metadata,
    _text("order_id", key=True),
    _text("request_id", key=True),
    _text("change"),  # JSON, as it was asked for
    _text("denial"),
    _text("message"),
)

fills = sa.Table(
    "fills",
    metadata,
    _text("account", key=True),
    _int("sequence", key=True),
    *_texts("venue", "symbol", "trade_id", "world_id", "strategy_id", "order_id"),
    _int("seq"),
    # trade ids repeat across symbols, and both sides of a trade with oneself have one
    sa.UniqueConstraint("account", "venue", "symbol", "trade_id", "order_id", name="fills_trade_id"),
)

positions = sa.Table(
    "positions",
    metadata,
    _text("account", key=True),
    _text("world_id", key=True),
    _text("strategy_id", key=True),
    _text("symbol", key=True),
    _int("quantity"),
    _int("cost"),
    _int("realised"),
    _int("fees"),
    _int("fills"),
)

sa.Index("positions_world", positions.c.world_id)

cash = sa.Table("cash", metadata, _text("account", key=True), _text("currency", key=True), _int("settled"))

# Proceeds on their way, by the instant from which they may be used.
unsettled_cash = sa.Table(
    "unsettled_cash",
    metadata,
    *(_text("account", key=True), _text("currency", key=True), _int("settles_ns", key=True), _int("amount")),
)

# What time alone moved, in order; appended to. `fill_sequence` is how many fills the account had before.
payments = sa.Table(
    "payments",
    metadata,
    sa.Column("id", _BIG, primary_key=True, autoincrement=True),
    _text("account"),
    _int("fill_sequence"),
    _text("world_id"),  # empty: of the account's own cash
    *_texts("strategy_id", "symbol", "kind", "currency"),
    _int("amount"),
    _int("at_ns"),
    # of a split, new shares for an old one, and what a part of a lot was paid at; of shares that became others, also
    # which, and the cash for each; else empty
    *_texts("ratio", "price", "converted_into", "per_share"),
)
sa.Index("payments_account", payments.c.account, payments.c.id)

world_fences = sa.Table(
    "world_fences",
    metadata,
    _text("world_id", key=True),
    _int("epoch"),
    _text("state"),
    _text("effective_mode"),
    _int("updated_ns"),
    _text("limits"),
    _text("standings"),  # both canonical JSON
)

send_intents = sa.Table(
    "send_intents",
    metadata,
    _text("order_id", key=True),
    _text("act", key=True),
    _int("number", key=True),  # of the act among its kind for the order
    *_texts("account", "world_id", "strategy_id", "client_order_id", "venue_order_id"),
    _int("epoch"),
    _int("sent_ns"),
    _int("answered_ns", nullable=True),  # null: not sent yet, on the wire, or unknown
    _int("wire_ns", nullable=True),  # null: the wire was not reached
)
_wire = send_intents.c.answered_ns.is_(None)
sa.Index("send_intents_venue", send_intents.c.account, send_intents.c.venue_order_id)
sa.Index("send_intents_wire", send_intents.c.world_id, sqlite_where=_wire, postgresql_where=_wire)

# The paper venue's own memory: what has reached it, whether or not its answer came back.
venue_orders = sa.Table(
    "venue_orders",
    metadata,
    *(_text("venue_order_id", key=True), _text("account"), _int("arrives_ns"), _flag("answer_lost")),
)

# What an account has traded there by day, counted from the epoch: its tier. Only where its fees go by volume.
venue_volumes = sa.Table(
    "venue_volumes",
    metadata,
    _text("account", key=True),
    _int("day", key=True),
    _text("symbol", key=True),
    _int("quantity"),
    _int("notional"),
)

# What ticks have shown an account of a market: levels (JSON pairs of price and quantity) less what its orders took.
seen_markets = sa.Table(
    "seen_markets",
    metadata,
    *(_text("account", key=True), _text("symbol", key=True)),
    *(_int("at_ns"), _int("quoted_ns"), _text("bids"), _text("asks")),
    *(_int("traded_ns"), _price("last"), _int("last_quantity"), _int("tradable")),
    *(_int("marked_ns"), _price("mark")),
)

# Cancels and replaces that it has done, whether or not their answers came back.
venue_changes = sa.Table(
    "venue_changes",
    metadata,
    _text("venue_order_id", key=True),  # of a replace: the id of what it brought
    _text("act", key=True),
    _text("account"),
    _text("order_id"),
    _int("at_ns"),
    _flag("answer_lost"),
)
sa.Index("venue_changes_order", venue_changes.c.order_id)

open_order_totals = sa.Table(
    "open_order_totals",
    metadata,
    _text("account", key=True),
    _text("world_id", key=True),
    _text("strategy_id", key=True),
    _text("symbol", key=True),
    _text("side", key=True),
    _int("orders"),
    _int("quantity"),
    _int("taking"),
    _int("priced"),
    _int("unpriced"),
    _int("reducing"),
)

sa.Index("open_order_totals_world", open_order_totals.c.world_id)

# Orders by a venue's own numbers of them, which its trades name.
venue_links = sa.Table(
    "venue_links", metadata, *(_text(name, key=True) for name in ("account", "symbol", "number")), _text("order_id")
)

# The time of the last trade that was booked.
venue_cursors = sa.Table("venue_cursors", metadata, _text("account", key=True), _int("read_ms"))

# What a venue took or paid without a trade, by its own numbers.
venue_payments = sa.Table(
    "venue_payments", metadata, _text("account", key=True), _text("number", key=True), _int("at_ms")
)

# Up to where the nonces of an exchange's key were given out. The key is known by a digest.
venue_nonces = sa.Table("venue_nonces", metadata, _text("key", key=True), _int("ceiling"))

# Which process drives an account at a venue; a holder of "" has given it up.
venue_leases = sa.Table(
    "venue_leases", metadata, _text("account", key=True), _text("holder"), _int("epoch"), _int("renewals")
)

# What venues list of their markets, kept so that books can be read without them.
venue_instruments = sa.Table(
    "venue_instruments",
    metadata,
    *(_text("venue", key=True), _text("symbol", key=True), _text("properties"), _int("learnt_ns")),  # properties: JSON
)

# How whoever drives an account at a venue finds it.
venue_states = sa.Table(
    "venue_states",
    metadata,
    _text("account", key=True),
    _text("state"),
    _text("detail"),
    _text("differences"),  # JSON
    _int("compared_ns"),  # when the books were last brought to what the venue lists; 0: never
    _int("opened_ns"),  # when that first left nothing unexplained: before, nothing may trade
    _int("asked_ns"),  # when a comparison was last asked for
    _int("weight_used"),  # of the exchange's request limit, as it last told; -1: not told
    sa.Column("ahead_ms", _BIG),  # how far the clock was ahead of the exchange's; NULL: not told
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", _BIG, primary_key=True, autoincrement=True),
    _int("at_ns"),
    *_texts("actor", "act", "subject", "detail", "correlation_id"),
)
AnyRow = Row[Any]  # a result row; its columns are typed by the table
Values = Mapping[str, str | int | bool | bytes | None]
OF: sa.BindParameter[str] = sa.bindparam("of")
