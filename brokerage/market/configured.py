"""The market context as the settings say it. Refuses a number that is none."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from brokerage.config import ActionEntry, Settings
from brokerage.domain.market.instrument import AssetClass, Instrument, TriggerPrice, instrument
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.corporate import (
    CorporateAction,
    Delisting,
    Dividend,
    Ending,
    ShareExchange,
    Split,
    ending_of,
)
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.money import LIMIT_SCALE, RATE_ONE, RATE_SCALE, rate
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.domain.risk.fence import VenueKind
from brokerage.domain.risk.limits import Limits
from brokerage.domain.simulation.corporate import conversion_of
from brokerage.market.context import MarketContext
from qmtl.core.decimals import parse_decimal, to_scaled
from qmtl.core.errors import NotFound, refused
from qmtl.core.instants import to_ns

MS_NS = 1_000_000


def market_of(
    settings: Settings, traits: Mapping[str, VenueTraits] | None = None, orphans: Collection[str] = ()
) -> MarketContext:
    """The paper venue's context as set, with those of the other venues beside it. Raises InvalidRequest.

    `traits` are of the venues that are set up, `orphans` venues that only accounts name: nothing new reaches those.
    """
    known = instruments_of(settings)
    profile = BrokerageProfile(
        slippage=ConstantSlippage(rate(settings.slippage)),
        participation=rate(settings.participation),
        limits_at_touch=settings.limit_fill == "at",
        buying_power=BuyingPower(settings.buying_power.upper()),
        leverage=settings.leverage,
    )
    tables: dict[str, Instruments] = {}
    contexts: dict[str, MarketContext] = {}
    paper = MarketContext(
        Instruments(known, PAPER.name, tables),
        profile,
        limits_of(settings),
        link_of(settings),
        settings.stops == "emulated",
        actions=actions_of(settings, Instruments(known)),
        venues=contexts,
    )
    contexts[PAPER.name] = paper
    for name, taken in {**dict.fromkeys(orphans), **(traits or {})}.items():
        table = tables[name] = Instruments(known, name, tables)
        live = taken is not None and settings.venues[name].live
        contexts[name] = replace(
            paper,
            instruments=table,
            link=Link(remote=True),
            emulate_stops=False,
            venue=name,
            kind=VenueKind.LIVE if live else VenueKind.SHUT,
            traits=taken or PAPER,
        )
    return paper


def instruments_of(settings: Settings) -> list[Instrument]:
    """The instruments that the settings name. Raises InvalidRequest."""
    return [
        instrument(
            symbol,
            base=entry.base,
            quote=entry.quote,
            tick=entry.tick,
            lot=entry.lot,
            quantity_places=entry.quantity_places,
            multiplier=entry.multiplier,
            notional_min=entry.notional_min,
            sector=entry.sector,
            calendar=entry.calendar,
            asset_class=AssetClass(entry.asset_class),
            trigger=TriggerPrice(entry.trigger_price.upper()),
            listed_ns=to_ns(entry.listed_at) if entry.listed_at else 0,
            delisted_ns=to_ns(entry.delisted_at) if entry.delisted_at else 0,
            tiers=[
                (tier.notional_cap, tier.leverage_max, tier.maintenance_rate, tier.maintenance_amount)
                for tier in entry.margin_tiers
            ],
        )
        for symbol, entry in settings.instruments.items()
    ]


def actions_of(settings: Settings, known: Instruments) -> dict[str, tuple[CorporateAction, ...]]:
    """What companies do as set, and instruments that end by themselves, by symbol in order of time.

    Raises NotFound (E_INSTRUMENT_UNKNOWN), InvalidRequest for a number that is none, is not above 0, or has more places
    than prices.
    """
    found: dict[str, list[CorporateAction]] = {}
    for entry in settings.actions:
        one = known.find(entry.symbol)
        if one is None:
            raise NotFound(
                "E_INSTRUMENT_UNKNOWN",
                f"no properties of {entry.symbol[:80]!r} are known, which brokerage.actions names",
                hint=f'add [brokerage.instruments."{entry.symbol[:80]}"] to qmtl.toml',
            )
        found.setdefault(entry.symbol, []).append(_action(entry, one, known))
    for one in known.listed():
        ends = ending_of(one)
        if ends is not None and not any(isinstance(action, Ending) for action in found.get(one.symbol, ())):
            found.setdefault(one.symbol, []).append(ends)
    for symbol, actions in found.items():
        if len({(type(action), action.at_ns) for action in actions}) < len(actions):
            raise refused("E_FIELD", f"brokerage.actions of {symbol}", "two of one kind at one instant", "one")
        if sum(isinstance(action, Ending) for action in actions) > 1:
            raise refused("E_FIELD", f"brokerage.actions of {symbol}", "two exchanges or delistings", "one")
    return {symbol: tuple(sorted(actions, key=lambda one: one.at_ns)) for symbol, actions in found.items()}


def _action(entry: ActionEntry, one: Instrument, known: Instruments) -> CorporateAction:
    at_ns, name = to_ns(entry.at), f"brokerage.actions of {entry.symbol}"
    if entry.dividend:
        amount = parse_decimal(entry.dividend, f"{name}: dividend")
        if amount <= 0:
            raise refused("E_DECIMAL", f"{name}: dividend", entry.dividend, "above 0")
        one.price_units(amount, f"{name}: dividend")
        return Dividend(entry.symbol, at_ns, amount)
    if entry.delisting:
        price = None if entry.delisting == "none" else _price(entry.delisting, f"{name}: delisting", one)
        return Delisting(entry.symbol, at_ns, price)
    if entry.exchange:
        return _exchange(entry, one, known)
    if not _RATIO.fullmatch(entry.split) or not (ratio := Fraction(entry.split)):
        raise refused("E_FIELD", f"{name}: split", entry.split, "new shares for one old: a whole number, or two as 3/2")
    return Split(entry.symbol, at_ns, ratio)


def _exchange(entry: ActionEntry, one: Instrument, known: Instruments) -> ShareExchange:
    name = f"brokerage.actions of {entry.symbol}"
    if not _RATIO.fullmatch(entry.exchange):
        want = "new shares for one old: a whole number, or two as 3/2"
        raise refused("E_FIELD", f"{name}: exchange", entry.exchange, want)
    ratio, cash = Fraction(entry.exchange), _price(entry.cash or "0", f"{name}: cash", one)
    if bool(ratio) != bool(entry.into) or not (ratio or cash) or entry.into == entry.symbol:
        raise refused("E_FIELD", f"{name}: into", entry.into, 'another symbol where exchange is above "0", else cash')
    into = known.find(entry.into) if entry.into else None
    if entry.into and into is None:
        raise NotFound(
            "E_INSTRUMENT_UNKNOWN", f"no properties of {entry.into[:80]!r} are known, which brokerage.actions names"
        )
    action = ShareExchange(entry.symbol, to_ns(entry.at), entry.into, ratio, cash)
    conversion_of(action, one, into)
    return action


def _price(written: str, name: str, one: Instrument) -> Decimal:
    found = parse_decimal(written, name)
    if found < 0:
        raise refused("E_DECIMAL", name, written, "0 or more")
    one.price_units(found, name)
    return found


_RATIO = re.compile(r"[0-9]{1,6}(/0*[1-9][0-9]{0,5})?", re.ASCII)


def limits_of(settings: Settings) -> Limits:
    """The pre-trade limits as set. Raises InvalidRequest for a number that is none, or below 0."""
    return Limits(
        open_orders_max=settings.open_orders_max,
        order_notional_max=_amount(settings.order_notional_max, "order_notional_max", LIMIT_SCALE),
        price_age_max_ns=settings.price_age_max_s * SECOND_NS,
        orders_per_s_max=settings.orders_per_s_max,
        position_notional_max=_amount(settings.position_notional_max, "position_notional_max", LIMIT_SCALE),
        leverage_max=_amount(settings.leverage_max, "leverage_max", RATE_SCALE),
        account_gross_max=_amount(settings.account_gross_max, "account_gross_max", LIMIT_SCALE),
        account_net_max=_amount(settings.account_net_max, "account_net_max", LIMIT_SCALE),
        world_gross_max=_amount(settings.world_gross_max, "world_gross_max", LIMIT_SCALE),
        world_net_max=_amount(settings.world_net_max, "world_net_max", LIMIT_SCALE),
        drawdown_max=_amount(settings.drawdown_max, "drawdown_max", RATE_SCALE),
    )


def _amount(written: str, name: str, scale: int) -> int:
    found = to_scaled(parse_decimal(written, name), scale)
    if found < 0:
        raise refused("E_DECIMAL", name, written, "0 or more")
    return found


def link_of(settings: Settings) -> Link:
    """The line to the paper venue as set. Raises InvalidRequest for a share that is none."""
    lost = rate(settings.venue_answer_loss)
    if not 0 <= lost <= RATE_ONE:
        raise refused("E_DECIMAL", "venue_answer_loss", settings.venue_answer_loss, "0 to 1")
    return Link(
        latency_bars=settings.venue_latency_bars,
        latency_ms=settings.venue_latency_ms,
        answer_loss=lost,
        seed=settings.venue_seed,
        answer_timeout_ns=settings.venue_answer_timeout_ms * MS_NS,
        query_after_ns=settings.venue_query_after_ms * MS_NS,
    )
