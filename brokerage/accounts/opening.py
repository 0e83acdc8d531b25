"""Opens paper accounts, each audited in the transaction that does it."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store
from brokerage.accounts.wire import VENUE
from brokerage.audit import Actor
from brokerage.config import ACCOUNTS_MAX
from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.money import RATE_ONE, RATE_SCALE, currency_scale
from brokerage.fences import store as fences_store
from brokerage.fields import text
from brokerage.market.context import MarketContext
from qmtl.broker.v1 import service_pb2 as pb
from qmtl.core.decimals import INT64_MAX, parse_decimal, to_scaled
from qmtl.core.errors import Conflict, Exhausted, NotFound, NotReady, refused
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import datasets_pb2 as datasetspb

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3,10}", re.ASCII)
CASH_DEFAULT = "100000"
FEE_DEFAULT = "0.001"
FEE_RATE_MAX = RATE_ONE // 10
CASH_MAX = INT64_MAX // 100  # a hundredfold gain still fits; an account that overflows stops the feed of all others


class AccountOpening:
    """Turns a request for an account into one, knowing the presets of seamless."""

    def __init__(self, catalogue: cataloguerpc.CatalogueServiceAsyncStub, market: MarketContext) -> None:
        self._catalogue = catalogue
        self._market = market

    async def draft(self, request: pb.OpenPaperAccountRequest, now_ns: int) -> Account:
        """The account asked for. Raises InvalidRequest by field, NotFound (E_PRESET_UNKNOWN), NotReady, Unavailable."""
        if not NAME.fullmatch(request.account):
            raise refused("E_NAME", "account", repr(request.account[:80]), "[a-z0-9][a-z0-9-]{0,62}")
        currency = request.base_currency or "USD"
        if not CURRENCY.fullmatch(currency):
            raise refused("E_NAME", "base_currency", repr(currency[:20]), "3 to 10 capital letters")
        cash = to_scaled(
            parse_decimal(request.starting_cash or CASH_DEFAULT, "starting_cash"), currency_scale(currency)
        )
        fee = to_scaled(parse_decimal(request.fee_rate or FEE_DEFAULT, "fee_rate"), RATE_SCALE)
        if not 0 < cash <= CASH_MAX:
            raise refused("E_DECIMAL", "starting_cash", request.starting_cash, f"more than 0, {CASH_MAX} units at most")
        if not 0 <= fee <= FEE_RATE_MAX:
            raise refused("E_DECIMAL", "fee_rate", request.fee_rate, "0 to 0.1")
        preset = await self._preset(request)
        return Account(
            account=request.account,
            world_id=text(request.world_id, "world_id"),
            venue=VENUE,
            base_currency=currency,
            starting_cash=cash,
            data_preset=preset.name,
            data_session_id=text(request.data_session_id, "data_session_id", empty=True),
            symbol=self._tradable(preset, currency),
            interval_s=preset.interval.seconds,
            fee_rate=fee,
            trading_state=TradingState.ACTIVE,
            created_ns=now_ns,
            venue_ns=0,
            mark_price=None,
            mark_ns=None,
            event_sequence=0,
            fill_sequence=0,
        )

    async def _preset(self, request: pb.OpenPaperAccountRequest) -> datasetspb.Preset:
        listed = await self._catalogue.ListPresets(catalogueservicepb.ListPresetsRequest())
        for preset in listed.presets:
            if preset.name == request.data_preset:
                if preset.replay and not request.data_session_id:
                    raise refused(
                        "E_DATA_SESSION_REQUIRED", "data_session_id", "''", f"the session {preset.name} is played in"
                    )
                return preset
        raise NotFound("E_PRESET_UNKNOWN", f"no data preset {request.data_preset!r}")

    def _tradable(self, preset: datasetspb.Preset, currency: str) -> str:
        instrument = self._market.instruments.find(preset.symbol)
        if instrument is None:
            raise NotReady(
                "E_INSTRUMENT_UNKNOWN",
                f"no symbol properties for {preset.symbol} of preset {preset.name}",
                hint=f'add [brokerage.instruments."{preset.symbol}"] to qmtl.toml',
            )
        if instrument.quote != currency:
            raise refused("E_NAME", "base_currency", currency, f"{instrument.quote}, the currency of {preset.symbol}")
        return instrument.symbol


def open_account(conn: Connection, wanted: Account, actor: Actor, accounts_max: int = ACCOUNTS_MAX) -> Account:
    """Create the account, or answer the one that is there.

    Raises Conflict (E_ACCOUNT_CONFLICT), Exhausted (E_ACCOUNTS_LIMIT): the world has as many as it may.
    """
    found = store.find_account(conn, wanted.account, lock=True)
    if found is not None:
        if found.same_settings(wanted):
            return found
        raise Conflict(
            "E_ACCOUNT_CONFLICT",
            f"account {wanted.account} exists with other settings",
            metadata={"account": found.account, "world_id": found.world_id},
        )
    fences_store.hold_fence(conn, wanted.world_id)  # two that open at once count one after the other
    if store.count_accounts(conn, wanted.world_id) >= accounts_max:
        raise Exhausted(
            "E_ACCOUNTS_LIMIT",
            f"world {wanted.world_id} has {accounts_max} paper accounts, the most it may",
            hint="trade on one that is open, or raise [brokerage] accounts_per_world_max",
        )
    others = store.accounts(conn, wanted.data_preset, wanted.data_session_id)
    ahead = max(others, key=lambda other: other.venue_ns, default=wanted)
    new = replace(wanted, venue_ns=ahead.venue_ns, mark_price=ahead.mark_price, mark_ns=ahead.mark_ns)
    store.add_account(conn, new)
    detail = f"world {new.world_id}, feed {new.data_preset} {new.data_session_id}"
    audit.record(conn, new.created_ns, (actor.name, actor.correlation_id), "open_paper_account", new.account, detail)
    return new
