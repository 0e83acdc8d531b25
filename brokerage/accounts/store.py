"""Accounts as rows. Whoever changes an account's book holds its row."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.accounts.account import Account, TradingState
from brokerage.schema import OF, AnyRow
from qmtl.core.errors import NotFound


def account_of(row: AnyRow) -> Account:
    values = row._asdict()
    return Account(**{**values, "trading_state": TradingState(values["trading_state"])})


def account_values(account: Account) -> dict[str, str | int | None]:
    """The columns of an account's row."""
    return {
        "account": account.account,
        "world_id": account.world_id,
        "venue": account.venue,
        "base_currency": account.base_currency,
        "starting_cash": account.starting_cash,
        "data_preset": account.data_preset,
        "data_session_id": account.data_session_id,
        "symbol": account.symbol,
        "interval_s": account.interval_s,
        "fee_rate": account.fee_rate,
        "trading_state": account.trading_state.value,
        "created_ns": account.created_ns,
        "venue_ns": account.venue_ns,
        "mark_price": account.mark_price,
        "mark_ns": account.mark_ns,
        "event_sequence": account.event_sequence,
        "fill_sequence": account.fill_sequence,
        "rate_ns": account.rate_ns,
        "peak_equity": account.peak_equity,
        "circuit_ns": account.circuit_ns,
    }


_ACCOUNT = sa.select(t.accounts).where(t.accounts.c.account == OF)
_LOCKED_ACCOUNT = _ACCOUNT.with_for_update()
_SAVE_ACCOUNT = sa.update(t.accounts).where(t.accounts.c.account == OF)
NAMES_OF_WORLD = sa.select(t.accounts.c.account).where(t.accounts.c.world_id == OF)
BARS_SIGNAL = "bars"


def find_account(conn: Connection, name: str, *, lock: bool = False) -> Account | None:
    """An account, locked for this transaction if asked: whoever changes an account's book holds its row."""
    row = conn.execute(_LOCKED_ACCOUNT if lock else _ACCOUNT, {"of": name}).one_or_none()
    return None if row is None else account_of(row)


def account(conn: Connection, name: str, world_id: str = "", *, lock: bool = False) -> Account:
    """An account of a world (empty: of any). Raises NotFound (E_ACCOUNT_UNKNOWN)."""
    found = find_account(conn, name, lock=lock)
    if found is None or (world_id and found.world_id != world_id):
        where = f" in world {world_id}" if world_id else ""
        raise NotFound("E_ACCOUNT_UNKNOWN", f"no account {name}{where}", hint="open it with OpenPaperAccount")
    return found


def accounts(
    conn: Connection, preset: str | None = None, session: str | None = None, *, lock: bool = False
) -> list[Account]:
    """Accounts, all or those of one feed, in the order locks are taken."""
    query = sa.select(t.accounts).order_by(t.accounts.c.account)
    if preset is not None:
        query = query.where(t.accounts.c.data_preset == preset, t.accounts.c.data_session_id == (session or ""))
    return [account_of(row) for row in conn.execute(query.with_for_update() if lock else query)]


def accounts_of(conn: Connection, world_id: str, *, lock: bool = False) -> list[Account]:
    """Accounts of a world, in the order locks are taken."""
    query = sa.select(t.accounts).where(t.accounts.c.world_id == world_id).order_by(t.accounts.c.account)
    return [account_of(row) for row in conn.execute(query.with_for_update() if lock else query)]


def add_account(conn: Connection, new: Account) -> None:
    conn.execute(sa.insert(t.accounts).values(account_values(new)))
    conn.execute(sa.insert(t.cash).values(account=new.account, currency=new.base_currency, amount=new.starting_cash))


def save_account(conn: Connection, changed: Account) -> None:
    conn.execute(_SAVE_ACCOUNT, {"of": changed.account, **account_values(changed)})


def count_accounts(conn: Connection, world_id: str) -> int:
    """How many accounts a world has."""
    return int(conn.scalar(sa.select(sa.func.count()).where(t.accounts.c.world_id == world_id)) or 0)
