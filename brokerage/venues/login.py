"""Logging in at the venues of the settings as the service would: with their credentials, for their lists and balances.

Nothing is traded, and no key is shown.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from brokerage.config import CCXT, Settings, VenueEntry
from brokerage.venues.ccxt.plug import ccxt_plug
from brokerage.venues.plugs import CountingPlug, PlugTerms, VenuePlug, plugged, require_apart
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.errors import InvalidRequest, QmtlError
from qmtl.core.instants import to_ns
from qmtl.exchanges.connection import VenueRefused

MS_NS = 1_000_000
LOGIN_S = 30.0
NOT_LOGGED_IN = "not logged in: it counts the requests of the key, and one from here would lock the service out"


@dataclass(frozen=True, slots=True)
class Login:
    """What came of one venue: the setting, whether it is well, and words for a person."""

    setting: str
    well: bool
    text: str


def check(settings: Settings, *, offline: bool) -> list[Login]:
    """Each venue of the settings, side by side; `offline`: only whether it can be made, credentials included."""
    return asyncio.run(_check(settings, offline=offline))


async def _check(settings: Settings, *, offline: bool) -> list[Login]:
    folder = settings.mesh.home.absolute() / "credentials"
    one = (_one(name, entry, folder, offline=offline) for name, entry in settings.venues.items())
    return [*await asyncio.gather(*one), *_shared(settings, folder)]


def _shared(settings: Settings, folder: Path) -> list[Login]:
    """Whether two venues have one key; what cannot be made at all is told of by itself."""
    plugs: dict[str, VenuePlug] = {}
    for name, entry in settings.venues.items():
        with suppress(QmtlError):
            plugs[name] = plugged(PlugTerms(name, entry, SystemClock(), os.environ, folder), ccxt_plug)
    try:
        require_apart(plugs)
    except InvalidRequest as one_key:
        return [Login("brokerage.venues", False, one_key.message)]
    return []


async def _one(name: str, entry: VenueEntry, folder: Path, *, offline: bool) -> Login:
    clock, setting = SystemClock(), f"brokerage.venues.{name}"
    environ: Mapping[str, str] = os.environ
    try:
        plug = plugged(PlugTerms(name, entry, clock, environ, folder), ccxt_plug)
        if offline:
            return Login(setting, True, f"{_where(entry)}: set up, not asked")
        async with asyncio.timeout(LOGIN_S):
            wrong, text = await _log_in(plug, clock)
    except TimeoutError:
        return Login(setting, False, f"{_where(entry)}: no answer in {LOGIN_S:.0f} s")
    except VenueRefused as refused:
        return Login(setting, False, f"{_where(entry)} refuses the login: {_without_query(str(refused))}")
    except QmtlError as error:
        return Login(setting, False, f"{_where(entry)}: {_without_query(error.message)}")
    return Login(setting, not wrong, f"{_where(entry)}: {'; '.join(wrong) or text}")


async def _log_in(plug: VenuePlug, clock: Clock) -> tuple[list[str], str]:
    """What is wrong with the login, else what it found. Raises what the venue's calls raise."""
    venue = await plug.connect(lambda: to_ns(clock.now()) // MS_NS)
    try:
        wrong = await venue.login_faults()
        if wrong:
            return wrong, ""
        listed = await venue.instruments()
        if isinstance(plug, CountingPlug) and plug.counts:
            return [], f"lists {len(listed)} symbols of the settings; {NOT_LOGGED_IN}"
        balances = await venue.balances()
        text = f"logged in; lists {len(listed)} symbols of the settings, and balances of {len(balances)} currencies"
        return [], text
    finally:
        await venue.close()


def _where(entry: VenueEntry) -> str:
    place = f"{entry.exchange} {entry.market}" if entry.kind == CCXT else entry.kind
    return f"{place} ({entry.address or entry.stage})"


def _without_query(text: str) -> str:
    """Words of an exchange without what a request carried: its parameters have a signature."""
    return re.sub(r"\?\S*", "", text)
