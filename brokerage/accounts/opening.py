"""Opens paper accounts and adds feeds to them, each audited in the transaction that does it."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import cash, store
from brokerage.accounts.sharing import require_room
from brokerage.accounts.wire import ACCOUNT_TYPES, VENUE, costs_of, fee_rate_of, leverage_of, starting_money
from brokerage.audit import Actor
from brokerage.config import ACCOUNTS_MAX
from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.named import profile_named
from brokerage.market.context import MarketContext
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.errors import Conflict, NotFound, refused
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire.fields import known_enum, optional_text

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


class AccountOpening:
    """Turns requests for accounts and feeds into values, knowing the presets of seamless."""

    def __init__(self, catalogue: cataloguerpc.CatalogueServiceAsyncStub, market: MarketContext) -> None:
        self._catalogue = catalogue
        self.market = market

    async def draft(self, request: accountservicepb.OpenPaperAccountRequest, now_ns: int) -> Account:
        """The account. Raises InvalidRequest, NotFound (E_PRESET_UNKNOWN, E_INSTRUMENT_UNKNOWN), Unavailable."""
        require_name(request.account)
        currency, money = starting_money(request.base_currency, request.starting_cash)
        profile = profile_named(request.profile) if request.profile else None
        default = profile or self.market.profile
        kind = _type(request.type, default.buying_power)
        feed = await self.feed(request.data_preset, request.data_session_id, currency, profile)
        return Account(
            account=request.account,
            type=kind,
            venue=VENUE,
            base_currency=currency,
            starting_cash=money,
            fee_rate=fee_rate_of(request.fee_rate, request.profile),
            profile=request.profile,
            costs=costs_of(request, "costs", default),
            leverage=leverage_of(request.leverage, kind, default, "leverage"),
            trading_state=TradingState.ACTIVE,
            created_ns=now_ns,
            feeds=(feed,),
        )

    async def feed(
        self,
        preset_name: str,
        session_id: str,
        currency: str = "",
        profile: BrokerageProfile | None = None,
        venue: str = VENUE,
    ) -> AccountFeed:
        """The feed asked for, of an instrument quoted in a currency (empty: in any) that a profile has fees for.

        Raises as `draft`.
        """
        preset = await self._preset(preset_name, optional_text(session_id, "data_session_id", 128))
        instrument = self._tradable(preset, currency, venue)
        if profile is not None:
            profile.require(instrument)
        return AccountFeed(preset.name, session_id, instrument.symbol, preset.interval.seconds)

    async def feed_of(self, account: Account, preset_name: str, session_id: str) -> AccountFeed:
        """One more feed of an account, of an instrument that its profile has fees for. Raises as `draft`."""
        if account.venue != VENUE and session_id:
            raise refused(
                "E_FIELD", "data_session_id", session_id, f"none: {account.venue} trades now, not in a replay"
            )
        profile = profile_named(account.profile) if account.profile else None
        return await self.feed(preset_name, session_id, "", profile, account.venue)

    async def _preset(self, name: str, session_id: str) -> datasetspb.Preset:
        preset = (await self._catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name=name))).preset
        if preset.replay and not session_id:
            raise refused("E_DATA_SESSION_REQUIRED", "data_session_id", "''", f"the session {name} is played in")
        return preset

    def _tradable(self, preset: datasetspb.Preset, currency: str, venue: str) -> Instrument:
        instrument = self.market.at(venue).instruments.find(preset.symbol)
        if instrument is None:
            raise NotFound(
                "E_INSTRUMENT_UNKNOWN",
                f"no symbol properties for {preset.symbol} of preset {preset.name}",
                hint=f'add [brokerage.instruments."{preset.symbol}"] to qmtl.toml',
            )
        if currency and instrument.quote != currency:
            raise refused("E_NAME", "base_currency", currency, f"{instrument.quote}, the currency of {preset.symbol}")
        return instrument


def _type(number: accountpb.AccountType, default: BuyingPower) -> AccountType:
    if number == accountpb.ACCOUNT_TYPE_UNSPECIFIED:
        return AccountType(default.value)
    return known_enum(ACCOUNT_TYPES, number, "type")


def require_name(name: str) -> None:
    """Raises InvalidRequest (E_NAME) for what is no name of an account."""
    if not NAME.fullmatch(name):
        raise refused("E_NAME", "account", repr(name[:80]), "[a-z0-9][a-z0-9-]{0,62}")


def open_account(
    conn: Connection, wanted: Account, world_id: str, actor: Actor, accounts_max: int = ACCOUNTS_MAX
) -> Account:
    """Create the account for its first world, or answer the one that is there.

    Raises Conflict (E_ACCOUNT_CONFLICT), Exhausted (E_ACCOUNTS_LIMIT): the world has as many as it may.
    """
    found = store.find_account(conn, wanted.account, lock=True)
    if found is not None:
        if found.same_settings(wanted) and store.is_allowed(conn, found.account, world_id):
            return found
        raise Conflict(
            "E_ACCOUNT_CONFLICT",
            f"account {wanted.account} exists with other settings",
            metadata={"account": found.account, "world_id": world_id},
        )
    require_room(conn, world_id, accounts_max)
    new = replace(wanted, feeds=tuple(_joined(conn, feed) for feed in wanted.feeds))
    store.add_account(conn, new)
    store.add_world(conn, new.account, world_id)
    cash.save_cash(conn, new.account, new.base_currency, new.starting_cash)
    detail = f"world {world_id}, feed {', '.join(f'{feed.preset} {feed.session_id}' for feed in new.feeds)}"
    audit.record(conn, new.created_ns, (actor.name, actor.correlation_id), "open_paper_account", new.account, detail)
    return new


def add_feed(conn: Connection, name: str, feed: AccountFeed, actor: Actor, now_ns: int) -> Account:
    """Let a feed move one more symbol of an account. A repeat changes nothing.

    Raises NotFound (E_ACCOUNT_UNKNOWN), Conflict (E_ACCOUNT_CONFLICT): another feed moves the symbol.
    """
    account = store.account(conn, name, lock=True)
    known = account.feed(feed.symbol)
    if known is not None:
        if (known.preset, known.session_id) == (feed.preset, feed.session_id):
            return account
        raise Conflict(
            "E_ACCOUNT_CONFLICT",
            f"{feed.symbol} of account {name} is moved by {known.preset} {known.session_id}",
            metadata={"account": name},
        )
    joined = _joined(conn, feed)
    store.add_feed(conn, name, joined)
    detail = f"{feed.symbol} by {feed.preset} {feed.session_id}"
    audit.record(conn, now_ns, (actor.name, actor.correlation_id), "add_feed", name, detail)
    return replace(account, feeds=(*account.feeds, joined))


def _joined(conn: Connection, feed: AccountFeed) -> AccountFeed:
    """A feed where the accounts that are on it already stand."""
    on_it = [account.feed(feed.symbol) for account in store.accounts_on(conn, feed.preset, feed.session_id)]
    known = [one for one in on_it if one is not None and one.preset == feed.preset]
    return max(known, key=lambda one: one.position_ns, default=feed)
