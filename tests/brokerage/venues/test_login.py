"""Logging in at venues before anything starts: what is wrong is named, and no key is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from brokerage.config import Settings
from brokerage.venues import login
from brokerage.venues.login import NOT_LOGGED_IN, Login
from qmtl.config.settings import MeshSettings
from qmtl.exchanges.credentials import Credentials
from tests.brokerage.exchange_mesh import at
from tests.exchange.binance.client import KEYS, opened
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.binance.usdm.client import opened as futures_opened
from tests.exchange.binance.usdm.rest import BinanceUsdm
from tests.exchange.core.exchange import Exchange, now_ms
from tests.exchange.core.faults import Trouble
from tests.exchange.kraken import client as kraken
from tests.exchange.kraken.rest import KrakenSpot
from tests.exchange.server import Dialect, serving
from tests.support.nats import free_port

SETTING = "brokerage.venues.binance"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_keys(tmp_path / "home", KEYS)


def with_keys(home: Path, keys: Credentials) -> Path:
    """A home whose credentials are these."""
    folder = home / "credentials"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for exchange in ("binance", "kraken"):
        file = folder / f"{exchange}-main.toml"
        file.touch(mode=0o600)
        file.write_text(f'api_key = "{keys.api_key}"\nsecret = "{keys.secret}"\n')
    return home


async def looked(home: Path, address: str, *, offline: bool = False, **changes: Any) -> Login:
    """What is found of the one venue of the settings, which is at an address."""
    venues: Any = at(address, **changes)
    settings = Settings(mesh=MeshSettings(home=home), venues=venues)
    (found,) = await asyncio.to_thread(login.check, settings, offline=offline)
    assert found.setting == SETTING
    return found


async def found(home: Path, exchange: Exchange, dialects: Sequence[Dialect] = (), /, **changes: Any) -> Login:
    """What is found of a venue at an exchange."""
    async with serving(exchange, *(dialects or [BinanceSpot(exchange)])) as address:
        return await looked(home, address, **changes)


async def test_a_venue_that_lets_us_in_is_well(home: Path) -> None:
    exchange = opened()
    well = await found(home, exchange)
    assert (well.well, exchange.open_orders("client")) == (True, [])
    assert well.text.endswith(": logged in; lists 1 symbols of the settings, and balances of 2 currencies")
    futures = futures_opened()
    changes: dict[str, Any] = {"market": "usdm", "symbols": ["BTC/USDT:USDT"]}
    assert (await found(home, futures, [BinanceUsdm(futures)], **changes)).well


KRAKEN: dict[str, Any] = {"exchange": "kraken", "symbols": ["BTC/USD"], "lease_ttl_s": 8.0}


async def test_a_key_whose_requests_are_counted_is_not_used_beside_the_service(home: Path) -> None:
    exchange, asked = kraken.opened(), list[str]()
    exchange.faults.witness = lambda request, done: asked.append(request)
    well = await found(home, exchange, [KrakenSpot(exchange)], **KRAKEN)
    assert (well.well, well.text.endswith(f": lists 1 symbols of the settings; {NOT_LOGGED_IN}")) == (True, True)
    assert not [request for request in asked if request.startswith("POST")]
    late = kraken.opened(clock=lambda: now_ms() - 2_500)
    assert "ahead of the exchange's" in (await found(home, late, [KrakenSpot(late)], **KRAKEN)).text


@pytest.mark.parametrize(("window_ms", "well"), [(0, True), (4_999, False), (5_000, True)])
async def test_a_window_below_the_deadline_of_orders_is_refused(home: Path, window_ms: int, well: bool) -> None:
    told = await looked(home, "http://127.0.0.1:9", offline=True, acceptance_window_ms=window_ms, **KRAKEN)
    assert told.well is well, told.text
    assert well or "acceptance_window_ms is 4999, want 0 or 5000 at least" in told.text


@pytest.mark.parametrize("keys", [Credentials("nobody", "hidden-word"), Credentials("key", "hidden-word")])
async def test_a_wrong_key_is_refused_by_the_exchange_and_not_shown(home: Path, keys: Credentials) -> None:
    refused = await found(with_keys(home, keys), opened())
    assert (refused.well, "refuses the login: " in refused.text) == (False, True)
    assert "hidden-word" not in refused.text
    assert "nobody" not in refused.text


@pytest.mark.parametrize(
    ("apart_ms", "said"),
    [
        (-1_500, "ahead of the exchange's, want 1000 ms at most"),
        (2_900, "behind the exchange's, want 2000 ms at most"),
        (-500, ""),
        (1_500, ""),
    ],
)
async def test_a_clock_that_is_apart_is_told_with_how_far(home: Path, apart_ms: int, said: str) -> None:
    apart = await found(home, opened(clock=lambda: now_ms() + apart_ms))
    assert (apart.well, said in apart.text) == (not said, True)


async def test_rights_of_the_key_that_lack_or_are_too_many_are_told(home: Path) -> None:
    exchange = opened()
    client = exchange.accounts["client"]
    client.may_trade, client.may_withdraw = False, True
    both = await found(home, exchange)
    assert not both.well
    assert "the key may not trade: enableSpotAndMarginTrading is off at the exchange" in both.text
    assert "the key may withdraw: take enableWithdrawals away from it at the exchange" in both.text
    client.may_withdraw = False
    assert (await found(home, exchange, live=False)).well  # it only looks there
    client.may_trade, client.may_withdraw = True, True
    assert not (await found(home, exchange)).well
    assert (await found(home, exchange, stage="testnet")).well  # where nobody tells of rights


async def test_what_does_not_answer_or_lists_no_such_symbol_is_told(home: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    gone = await looked(home, nowhere)
    assert (gone.well, gone.text) == (False, f"binance spot ({nowhere}): no answer of binance: ExchangeNotAvailable")
    exchange = opened()
    exchange.faults.plan("GET time", Trouble.SILENT_BEFORE)
    assert "no answer of binance" in (await found(home, exchange, timeout_ms=200)).text
    unlisted = await found(home, opened(), symbols=["DOGE/USDT"])
    assert (unlisted.well, "binance lists no DOGE/USDT" in unlisted.text) == (False, True)


async def test_offline_only_what_is_here_is_looked_at(home: Path, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert (await looked(home, nowhere, offline=True)).well
    for folder, changes, said in (
        (tmp_path / "none", {}, "no credentials: neither the environment nor "),
        (home, {"exchange": "mtgox"}, "no dialect of 'mtgox' spot"),
    ):
        wrong = await looked(folder, nowhere, offline=True, **changes)
        assert (wrong.well, said in wrong.text) == (False, True)
    (home / "credentials" / "binance-main.toml").chmod(0o644)
    exposed = await looked(home, nowhere, offline=True)
    assert (exposed.well, "may be read by others, want mode 0600" in exposed.text) == (False, True)
