"""The tables of the brokerage."""

import sqlalchemy as sa
from alembic import op

from controlbus.outbox.outbox import create_tables

revision, down_revision = "0001", None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    create_tables(op)  # type: ignore[arg-type]  # the op module stands for the Operations of this run
    _create_accounts()
    _create_orders()
    _create_events()
    _create_books()
    _create_fences()


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=False),
        sa.Column("starting_cash", _BIG, nullable=False),
        sa.Column("fee_rate", _BIG, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("costs", sa.Text(), nullable=False),
        sa.Column("leverage", _BIG, nullable=False),
        sa.Column("trading_state", sa.Text(), nullable=False),
        sa.Column("created_ns", _BIG, nullable=False),
        sa.Column("event_sequence", _BIG, nullable=False),
        sa.Column("fill_sequence", _BIG, nullable=False),
        sa.Column("rate_ns", _BIG, nullable=False),
        sa.Column("peak_equity", _BIG, nullable=True),
        sa.Column("circuit_ns", _BIG, nullable=True),
        sa.Column("margin_warned_ns", _BIG, nullable=False),
        sa.Column("missed_ns", _BIG, nullable=False),
        sa.Column("carried_ns", _BIG, nullable=False),
        sa.Column("interest_ns", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "account_limits",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "account_worlds",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "world_id"),
    )
    op.create_index("account_worlds_world", "account_worlds", ["world_id"])
    op.create_table(
        "account_feeds",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("preset", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("interval_s", _BIG, nullable=False),
        sa.Column("position_ns", _BIG, nullable=False),
        sa.Column("carried_ns", _BIG, nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol"),
    )
    op.create_index("account_feeds_source", "account_feeds", ["preset", "session_id"])
    op.create_table(
        "marks",
        sa.Column("preset", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        sa.Column("at_ns", _BIG, nullable=False),
        sa.Column("bar_ns", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("preset", "session_id", "symbol"),
    )
    op.create_table(
        "cash",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("settled", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "currency"),
    )
    op.create_table(
        "unsettled_cash",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("settles_ns", _BIG, nullable=False),
        sa.Column("amount", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "currency", "settles_ns"),
    )
    op.create_table(
        "payments",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("fill_sequence", _BIG, nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", _BIG, nullable=False),
        sa.Column("at_ns", _BIG, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("ratio", "price", "converted_into", "per_share")),
    )
    op.create_index("payments_account", "payments", ["account", "id"])


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("tif", sa.Text(), nullable=False),
        sa.Column("asked_quantity", sa.Text(), nullable=False),
        sa.Column("asked_limit", sa.Text(), nullable=False),
        sa.Column("asked_stop", sa.Text(), nullable=False),
        sa.Column("trail_offset", sa.Text(), nullable=False),
        sa.Column("trail_offset_type", sa.Text(), nullable=False),
        sa.Column("limit_offset", sa.Text(), nullable=False),
        sa.Column("position_target", sa.Text(), nullable=False),
        sa.Column("asked_expire_ns", _BIG, nullable=True),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("post_only", sa.Boolean(), nullable=False),
        sa.Column("position_side", sa.Text(), nullable=False),
        sa.Column("decided_ns", _BIG, nullable=True),
        sa.Column("strategy_version", _BIG, nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("list_id", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("contingency", sa.Text(), nullable=False),
        sa.Column("linked", sa.Text(), nullable=False),
        sa.Column("gate_reduce_only", sa.Boolean(), nullable=False),
        sa.Column("epoch", _BIG, nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("quantity", _BIG, nullable=False),
        sa.Column("limit_price", sa.Text(), nullable=True),
        sa.Column("stop_price", sa.Text(), nullable=True),
        sa.Column("expire_ns", _BIG, nullable=True),
        sa.Column("filled", _BIG, nullable=False),
        sa.Column("notional", _BIG, nullable=False),
        sa.Column("triggered", sa.Boolean(), nullable=False),
        sa.Column("accepted_ns", _BIG, nullable=False),
        sa.Column("created_ns", _BIG, nullable=False),
        sa.Column("updated_ns", _BIG, nullable=False),
        sa.Column("denial", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("unresolved", sa.Boolean(), nullable=False),
        sa.Column("created_sequence", _BIG, nullable=False),
        sa.Column("worst_price", sa.Text(), nullable=False),
        sa.Column("wanted_quantity", _BIG, nullable=True),
        sa.Column("wanted_limit", sa.Text(), nullable=True),
        sa.Column("wanted_stop", sa.Text(), nullable=True),
        sa.Column("wanted_expire_ns", _BIG, nullable=True),
        sa.Column("wanted_worst", sa.Text(), nullable=True),
        sa.Column("replaces", _BIG, nullable=False),
        sa.Column("generation", _BIG, nullable=False),
        sa.Column("begun", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("order_id"),
        sa.UniqueConstraint("account", "world_id", "strategy_id", "client_order_id", name="orders_client_order_id"),
        sa.UniqueConstraint("account", "created_sequence", name="orders_created"),
    )
    where = sa.text("list_id != ''")
    op.create_index("orders_list", "orders", ["account", "list_id"], sqlite_where=where, postgresql_where=where)
    where = sa.text("open")
    op.create_index("orders_open", "orders", ["account"], sqlite_where=where, postgresql_where=where)


def _create_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at_ns", _BIG, nullable=False),
        sa.Column("received_ns", _BIG, nullable=False),
        sa.Column("denial", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("quantity", _BIG, nullable=False),
        sa.Column("limit_price", sa.Text(), nullable=True),
        sa.Column("stop_price", sa.Text(), nullable=True),
        sa.Column("expire_ns", _BIG, nullable=True),
        sa.Column("unresolved", sa.Boolean(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("fill_quantity", _BIG, nullable=False),
        sa.Column("fill_price", sa.Text(), nullable=False),
        sa.Column("fee", _BIG, nullable=False),
        sa.Column("fee_currency", sa.Text(), nullable=False),
        sa.Column("liquidity", sa.Text(), nullable=False),
        sa.Column("venue_ns", _BIG, nullable=False),
        sa.Column("cumulative", _BIG, nullable=False),
        sa.Column("worst_price", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "seq"),
        sa.UniqueConstraint("account", "sequence", name="order_events_sequence"),
    )
    op.create_table(
        "order_replaces",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("denial", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "request_id"),
    )
    op.create_table(
        "fills",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("seq", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "sequence"),
        sa.UniqueConstraint("account", "venue", "symbol", "trade_id", "order_id", name="fills_trade_id"),
    )


def _create_books() -> None:
    op.create_table(
        "positions",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", _BIG, nullable=False),
        sa.Column("cost", _BIG, nullable=False),
        sa.Column("realised", _BIG, nullable=False),
        sa.Column("fees", _BIG, nullable=False),
        sa.Column("fills", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "world_id", "strategy_id", "symbol"),
    )
    op.create_index("positions_world", "positions", ["world_id"])
    op.create_table(
        "open_order_totals",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("orders", _BIG, nullable=False),
        sa.Column("quantity", _BIG, nullable=False),
        sa.Column("taking", _BIG, nullable=False),
        sa.Column("priced", _BIG, nullable=False),
        sa.Column("unpriced", _BIG, nullable=False),
        sa.Column("reducing", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "world_id", "strategy_id", "symbol", "side"),
    )
    op.create_index("open_order_totals_world", "open_order_totals", ["world_id"])


def _create_fences() -> None:
    op.create_table(
        "world_fences",
        sa.Column("world_id", sa.Text(), nullable=False),
        sa.Column("epoch", _BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("effective_mode", sa.Text(), nullable=False),
        sa.Column("updated_ns", _BIG, nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("standings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("world_id"),
    )
    op.create_table(
        "send_intents",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("number", _BIG, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("account", "world_id", "strategy_id", "client_order_id", "venue_order_id")
        ),
        *(sa.Column(name, _BIG, nullable=False) for name in ("epoch", "sent_ns")),
        *(sa.Column(name, _BIG, nullable=True) for name in ("answered_ns", "wire_ns")),
        sa.PrimaryKeyConstraint("order_id", "act", "number"),
    )
    where = sa.text("answered_ns IS NULL")
    op.create_index("send_intents_venue", "send_intents", ["account", "venue_order_id"])
    op.create_index("send_intents_wire", "send_intents", ["world_id"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "venue_orders",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("venue_order_id", "account")),
        sa.Column("arrives_ns", _BIG, nullable=False),
        sa.Column("answer_lost", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("venue_order_id"),
    )
    op.create_table(
        "venue_volumes",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("account", "symbol")),
        *(sa.Column(name, _BIG, nullable=False) for name in ("day", "quantity", "notional")),
        sa.PrimaryKeyConstraint("account", "day", "symbol"),
    )
    levels = ("account", "symbol", "bids", "asks", "last", "mark")
    counts = ("at_ns", "quoted_ns", "traded_ns", "last_quantity", "tradable", "marked_ns")
    op.create_table(
        "seen_markets",
        *(sa.Column(name, sa.Text(), nullable=False) for name in levels),
        *(sa.Column(name, _BIG, nullable=False) for name in counts),
        sa.PrimaryKeyConstraint("account", "symbol"),
    )
    op.create_table(
        "venue_changes",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("venue_order_id", "act", "account", "order_id")),
        sa.Column("at_ns", _BIG, nullable=False),
        sa.Column("answer_lost", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("venue_order_id", "act"),
    )
    op.create_index("venue_changes_order", "venue_changes", ["order_id"])
    op.create_table(
        "venue_links",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", "number"),
    )
    op.create_table(
        "venue_cursors",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("read_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "venue_payments",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account", "number"),
    )
    op.create_table(
        "venue_nonces",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ceiling", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "venue_leases",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", _BIG, nullable=False),
        sa.Column("renewals", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "venue_instruments",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.Column("learnt_ns", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("venue", "symbol"),
    )
    op.create_table(
        "venue_states",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("differences", sa.Text(), nullable=False),
        sa.Column("compared_ns", _BIG, nullable=False),
        sa.Column("opened_ns", _BIG, nullable=False),
        sa.Column("asked_ns", _BIG, nullable=False),
        sa.Column("weight_used", _BIG, nullable=False),
        sa.Column("ahead_ms", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", _BIG, nullable=False, autoincrement=True),
        sa.Column("at_ns", _BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
