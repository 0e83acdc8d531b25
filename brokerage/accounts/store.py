"""Accounts as rows, with their worlds, feeds and marks. Whoever changes an account's book holds its row.

A lock is a statement of its own, before what is read under it: PostgreSQL gives the rows that are joined to one it
waited for as they stood before the wait.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.accounts.limits import NO_ACCOUNT_LIMITS, AccountLimits, Budget
from brokerage.domain.market.mark import Mark, day_of
from brokerage.schema import OF, AnyRow
from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.sql.database import signal
from qmtl.sql.statements.prepared import Later, Prepared

BARS_SIGNAL = "bars"
ACCOUNTS_SIGNAL = "accounts"

_FEED, _MARK = t.account_feeds.c, t.marks.c
_SELECT = (
    sa.select(
        t.accounts,
        _FEED.symbol,
        _FEED.preset,
        _FEED.session_id,
        _FEED.interval_s,
        _FEED.position_ns,
        _FEED.carried_ns.label("feed_carried_ns"),
        _FEED.ended,
        _MARK.price.label("mark_price"),
        _MARK.at_ns.label("mark_ns"),
        _MARK.bar_ns,
        t.account_limits.c.limits,
    )
    .outerjoin(t.account_limits, t.account_limits.c.account == t.accounts.c.account)
    .outerjoin(t.account_feeds, _FEED.account == t.accounts.c.account)
    .outerjoin(
        t.marks,
        sa.and_(_MARK.preset == _FEED.preset, _MARK.session_id == _FEED.session_id, _MARK.symbol == _FEED.symbol),
    )
    .order_by(t.accounts.c.account, _FEED.symbol)
)
NAMES_OF_WORLD = sa.select(t.account_worlds.c.account).where(t.account_worlds.c.world_id == OF)
_LOCK = sa.select(t.accounts.c.account).order_by(t.accounts.c.account).with_for_update()
_BY_NAME, _BY_WORLD = t.accounts.c.account == OF, t.accounts.c.account.in_(NAMES_OF_WORLD)
_ONE, _LOCK_ONE = Prepared(_SELECT.where(_BY_NAME)), Prepared(_LOCK.where(_BY_NAME))
_OF_WORLD, _LOCK_OF_WORLD = Prepared(_SELECT.where(_BY_WORLD)), Prepared(_LOCK.where(_BY_WORLD))
_IS_FEED = (_FEED.preset == sa.bindparam("preset"), _FEED.session_id == sa.bindparam("session"))
_BY_FEED = t.accounts.c.account.in_(sa.select(_FEED.account).where(*_IS_FEED))
_ON_FEED, _LOCK_ON_FEED = Prepared(_SELECT.where(_BY_FEED)), Prepared(_LOCK.where(_BY_FEED))
_SOURCES = Prepared(
    sa.select(_FEED.preset, _FEED.session_id, t.account_worlds.c.world_id)
    .join(t.account_worlds, t.account_worlds.c.account == _FEED.account)
    .distinct()
)
_SYMBOL_ON = Prepared(sa.select(_FEED.symbol).where(*_IS_FEED).limit(1))
_SAVE = Prepared(sa.update(t.accounts).where(t.accounts.c.account == OF))
_ALLOWED = Prepared(
    sa.select(t.account_worlds.c.account).where(
        t.account_worlds.c.account == OF, t.account_worlds.c.world_id == sa.bindparam("world")
    )
)
_SAVE_MARK = Prepared(
    "INSERT INTO marks (preset, session_id, symbol, price, at_ns, bar_ns) "
    "VALUES (:preset, :session_id, :symbol, :price, :at_ns, :bar_ns) ON CONFLICT (preset, session_id, symbol) "
    "DO UPDATE SET price = excluded.price, at_ns = excluded.at_ns, bar_ns = excluded.bar_ns"
)


_SAVE_DAY_MARK = Prepared(
    "INSERT INTO day_marks (preset, session_id, symbol, day, price) "
    "VALUES (:preset, :session_id, :symbol, :day, :price) "
    "ON CONFLICT (preset, session_id, symbol, day) DO UPDATE SET price = excluded.price"
)


def find_account(conn: Connection, name: str, *, lock: bool = False) -> Account | None:
    """An account, locked for this transaction if asked."""
    return ask_found_account(conn, name, lock=lock)()


def ask_found_account(conn: Connection, name: str, *, lock: bool = False) -> Later[Account | None]:
    """As `find_account`, heard later."""
    if lock:
        _LOCK_ONE.ask(conn, {"of": name})
    rows = _ONE.ask(conn, {"of": name}).rows
    return lambda: next(iter(_accounts_of(rows())), None)


def account(conn: Connection, name: str, world_id: str = "", *, lock: bool = False) -> Account:
    """An account that a world may use (empty: of any). Raises NotFound (E_ACCOUNT_UNKNOWN)."""
    return ask_account(conn, name, world_id, lock=lock)()


def ask_account(conn: Connection, name: str, world_id: str = "", *, lock: bool = False) -> Later[Account]:
    """As `account`, heard later."""
    asked = ask_found_account(conn, name, lock=lock)
    allowed = _ALLOWED.ask(conn, {"of": name, "world": world_id}).rows if world_id else None

    def known() -> Account:
        found = asked()
        if found is None or (allowed is not None and allowed().one_or_none() is None):
            where = f" that world {world_id} may use" if world_id else ""
            raise NotFound("E_ACCOUNT_UNKNOWN", f"no account {name}{where}", hint="open it with OpenPaperAccount")
        return found

    return known


def is_allowed(conn: Connection, name: str, world_id: str) -> bool:
    """Whether a world may use an account."""
    return _ALLOWED.rows(conn, {"of": name, "world": world_id}).one_or_none() is not None


def accounts(conn: Connection) -> list[Account]:
    """All accounts in order of name."""
    return _accounts_of(conn.execute(_SELECT))


def accounts_on(conn: Connection, preset: str, session_id: str, *, lock: bool = False) -> list[Account]:
    """Accounts on one feed, in the order locks are taken."""
    feed = {"preset": preset, "session": session_id}
    locked = _LOCK_ON_FEED.ask(conn, feed).rows if lock else None
    rows = _ON_FEED.ask(conn, feed).rows
    return _among(None if locked is None else set(locked().scalars()), _accounts_of(rows()))


def live_accounts_of(conn: Connection, symbol: str) -> list[Account]:
    """Accounts with a live feed of a symbol, locked, in the order locks are taken."""
    on_it = t.accounts.c.account.in_(sa.select(_FEED.account).where(_FEED.symbol == symbol, _FEED.session_id == ""))
    locked = set(conn.execute(_LOCK.where(on_it)).scalars())
    return _among(locked, _accounts_of(conn.execute(_SELECT.where(on_it))))


def sources(conn: Connection) -> list[tuple[str, str, str]]:
    """Preset and replay session of every feed, each with a world whose account is on it."""
    return [(row.preset, row.session_id, row.world_id) for row in _SOURCES.rows(conn)]


def name_at(conn: Connection, venue: str) -> str | None:
    """The name of the one account at a venue, if there is one. Paper has many."""
    found: str | None = conn.scalar(sa.select(t.accounts.c.account).where(t.accounts.c.venue == venue).limit(1))
    return found


def hold_venue(conn: Connection, venue: str) -> None:
    """Let nobody else open an account at a venue until this transaction ends: SQLite has one writer anyway."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"venue {venue}"})


def venues(conn: Connection) -> list[str]:
    """The names of all venues that accounts are at."""
    return list(conn.execute(sa.select(t.accounts.c.venue).distinct().order_by(t.accounts.c.venue)).scalars())


def awaits_comparison(conn: Connection, name: str) -> bool:
    """Whether an account at a venue has yet to be compared with it."""
    states = t.venue_states.c
    opened: int | None = conn.scalar(sa.select(states.opened_ns).where(states.account == name))
    return opened == 0


def begin_at_venue(conn: Connection, name: str, now_ns: int) -> None:
    """A new account at a venue: its history before now is not ours to book, and it has yet to be compared."""
    conn.execute(sa.insert(t.venue_cursors).values(account=name, read_ms=now_ns // 1_000_000))
    numbers = {"compared_ns": 0, "opened_ns": 0, "asked_ns": 0, "weight_used": -1}
    words = {"state": "ELSEWHERE", "detail": "", "differences": "[]"}
    conn.execute(sa.insert(t.venue_states).values(account=name, **words, **numbers))
    signal(conn, ACCOUNTS_SIGNAL)


def symbol_on(conn: Connection, preset: str, session_id: str) -> str:
    """The symbol a feed moves; empty if no account is on it."""
    found = _SYMBOL_ON.rows(conn, {"preset": preset, "session": session_id}).first()
    return found.symbol if found is not None else ""


def progress_on(conn: Connection, preset: str, session_id: str) -> int:
    """Where the account on a feed stands that is furthest behind, of those that have begun; 0: none has."""
    mine = sa.and_(_FEED.preset == preset, _FEED.session_id == session_id, _FEED.position_ns > 0)
    return int(conn.scalar(sa.select(sa.func.min(_FEED.position_ns)).where(mine)) or 0)


def accounts_of(conn: Connection, world_id: str, *, lock: bool = False) -> list[Account]:
    """Accounts that a world may use, in the order locks are taken."""
    return ask_accounts_of(conn, world_id, lock=lock)()


def ask_accounts_of(conn: Connection, world_id: str, *, lock: bool = False) -> Later[list[Account]]:
    """As `accounts_of`, heard later."""
    locked = _LOCK_OF_WORLD.ask(conn, {"of": world_id}).rows if lock else None
    rows = _OF_WORLD.ask(conn, {"of": world_id}).rows
    return lambda: _among(None if locked is None else set(locked().scalars()), _accounts_of(rows()))


def page_of_accounts(conn: Connection, world_id: str, page: Page[tuple[str]]) -> list[Account]:
    """Accounts of a world (empty: of any) in order of name, one more than the page shows."""
    table = t.accounts.c
    names = sa.select(table.account).order_by(table.account).limit(page.size + 1)
    if world_id:
        names = names.where(table.account.in_(NAMES_OF_WORLD))
    if page.after is not None:
        names = names.where(table.account > page.after[0])
    return _accounts_of(conn.execute(_SELECT.where(table.account.in_(names)), {"of": world_id} if world_id else {}))


def worlds_of(conn: Connection, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Worlds that may use these accounts, in order of name."""
    table = t.account_worlds.c
    rows = conn.execute(
        sa.select(table.account, table.world_id).where(table.account.in_(names)).order_by(table.world_id)
    )
    found: dict[str, list[str]] = {name: [] for name in names}
    for row in rows:
        found[row.account].append(row.world_id)
    return {name: tuple(worlds) for name, worlds in found.items()}


def add_account(conn: Connection, new: Account) -> None:
    """Store a new account with its feeds. Its cash and its first world are stored beside it."""
    conn.execute(sa.insert(t.accounts).values(account=new.account, **_values(new)))
    for feed in new.feeds:
        add_feed(conn, new.account, feed)


def save_account(conn: Connection, changed: Account) -> None:
    """Bring an account's own row to a value; feeds and marks have rows of their own."""
    _SAVE.send(conn, {"of": changed.account, **_values(changed)})


def add_world(conn: Connection, name: str, world_id: str) -> None:
    """Let a world use an account."""
    conn.execute(sa.insert(t.account_worlds).values(account=name, world_id=world_id))


def remove_world(conn: Connection, name: str, world_id: str) -> None:
    """End a world's use of an account."""
    table = t.account_worlds
    conn.execute(sa.delete(table).where(table.c.account == name, table.c.world_id == world_id))


def add_feed(conn: Connection, name: str, feed: AccountFeed) -> None:
    """Let a feed move one more symbol of an account."""
    conn.execute(
        sa.insert(t.account_feeds).values(
            account=name,
            symbol=feed.symbol,
            preset=feed.preset,
            session_id=feed.session_id,
            interval_s=feed.interval_s,
            position_ns=feed.position_ns,
            carried_ns=feed.carried_ns,
            ended=feed.ended,
        )
    )
    signal(conn, ACCOUNTS_SIGNAL)


def save_position(conn: Connection, name: str, feed: AccountFeed) -> None:
    """Store how far an account has come along a feed."""
    mine = sa.and_(_FEED.account == name, _FEED.symbol == feed.symbol)
    conn.execute(sa.update(t.account_feeds).where(mine).values(position_ns=feed.position_ns))


def save_carried(conn: Connection, before: Account, after: Account) -> None:
    """Store up to where the positions in each symbol of an account have been charged."""
    for was, feed in zip(before.feeds, after.feeds, strict=True):
        if was.carried_ns != feed.carried_ns:
            mine = sa.and_(_FEED.account == after.account, _FEED.symbol == feed.symbol)
            conn.execute(sa.update(t.account_feeds).where(mine).values(carried_ns=feed.carried_ns))


def end_feeds(conn: Connection, preset: str, session_id: str) -> None:
    """A replay has come to its end: nothing waits for it any more."""
    mine = sa.and_(_FEED.preset == preset, _FEED.session_id == session_id)
    conn.execute(sa.update(t.account_feeds).where(mine).values(ended=True))


def save_mark(conn: Connection, feed: AccountFeed, mark: Mark) -> None:
    """Store the last price that a feed brought."""
    key = {"preset": feed.preset, "session_id": feed.session_id, "symbol": feed.symbol}
    _SAVE_MARK.send(conn, {**key, "price": str(mark.price), "at_ns": mark.at_ns, "bar_ns": mark.bar_ns})


def save_day_mark(conn: Connection, feed: AccountFeed, mark: Mark) -> None:
    """Store the last price that a feed brought of a day that is over."""
    key = {"preset": feed.preset, "session_id": feed.session_id, "symbol": feed.symbol}
    _SAVE_DAY_MARK.send(conn, {**key, "day": day_of(mark.at_ns), "price": str(mark.price)})


def day_marks(conn: Connection, feed: AccountFeed) -> dict[int, int]:
    """The last price of each day that a feed has brought prices of, the day that goes on included."""
    of = t.day_marks.c
    mine = sa.and_(of.preset == feed.preset, of.session_id == feed.session_id, of.symbol == feed.symbol)
    found = {int(row.day): int(row.price) for row in conn.execute(sa.select(of.day, of.price).where(mine))}
    return found if feed.mark is None else found | {day_of(feed.mark.at_ns): feed.mark.price}


def count_accounts(conn: Connection, world_id: str) -> int:
    """How many accounts a world may use."""
    table = t.account_worlds
    return int(conn.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.world_id == world_id)) or 0)


def _among(locked: Collection[str] | None, found: list[Account]) -> list[Account]:
    """Those that are locked (None: all): one that came after the locks is not."""
    return found if locked is None else [one for one in found if one.account in locked]


def _accounts_of(rows: Iterable[AnyRow]) -> list[Account]:
    """One account of all the rows that its feeds make."""
    found: dict[str, tuple[AnyRow, list[AccountFeed]]] = {}
    for row in rows:
        feeds = found.setdefault(row.account, (row, []))[1]
        if row.symbol is not None:
            mark = None if row.mark_price is None else Mark(row.mark_price, row.mark_ns, row.bar_ns)
            place = row.preset, row.session_id, row.symbol, row.interval_s, row.position_ns
            feeds.append(AccountFeed(*place, mark, row.feed_carried_ns, row.ended))
    return [_account_of(row, tuple(feeds)) for row, feeds in found.values()]


def _account_of(row: AnyRow, feeds: tuple[AccountFeed, ...]) -> Account:
    return Account(
        account=row.account,
        type=AccountType(row.type),
        venue=row.venue,
        base_currency=row.base_currency,
        starting_cash=row.starting_cash,
        fee_rate=row.fee_rate,
        profile=row.profile,
        costs=_costs_of(row.costs),
        carried_ns=row.carried_ns,
        interest_ns=row.interest_ns,
        leverage=row.leverage,
        trading_state=TradingState(row.trading_state),
        created_ns=row.created_ns,
        feeds=feeds,
        event_sequence=row.event_sequence,
        fill_sequence=row.fill_sequence,
        rate_ns=row.rate_ns,
        peak_equity=row.peak_equity,
        circuit_ns=row.circuit_ns,
        margin_warned_ns=row.margin_warned_ns,
        missed_ns=row.missed_ns,
        limits=_limits_of(row.limits),
    )


def _costs_of(written: str) -> tuple[str, str, str, str]:
    maker, taker, slippage, participation = json.loads(written)
    return maker, taker, slippage, participation


@lru_cache(maxsize=128)
def _limits_of(written: str | None) -> AccountLimits:
    """Read with every order of the account, and changed seldom."""
    if not written:
        return NO_ACCOUNT_LIMITS
    fields = json.loads(written)
    return AccountLimits(**{**fields, "budgets": tuple(Budget(**budget) for budget in fields["budgets"])})


def _values(account: Account) -> dict[str, str | int | None]:
    return {
        "type": account.type.value,
        "venue": account.venue,
        "base_currency": account.base_currency,
        "starting_cash": account.starting_cash,
        "fee_rate": account.fee_rate,
        "profile": account.profile,
        "costs": json.dumps(account.costs),
        "carried_ns": account.carried_ns,
        "interest_ns": account.interest_ns,
        "leverage": account.leverage,
        "trading_state": account.trading_state.value,
        "created_ns": account.created_ns,
        "event_sequence": account.event_sequence,
        "fill_sequence": account.fill_sequence,
        "rate_ns": account.rate_ns,
        "peak_equity": account.peak_equity,
        "circuit_ns": account.circuit_ns,
        "margin_warned_ns": account.margin_warned_ns,
        "missed_ns": account.missed_ns,
    }
