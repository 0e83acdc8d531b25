"""When an order that is good for the day ends: by the venue's sessions, by New York for currency, by UTC for crypto."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from brokerage.domain.market.instrument import AssetClass
from qmtl.calendars.exchanges import ExchangeHours
from qmtl.calendars.windows import zone
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, to_ns

_NEW_YORK, _FOREX_END = "America/New_York", time(17)
_DAY = timedelta(days=1)


def day_ends_ns(asset_class: AssetClass, accepted_ns: int, hours: ExchangeHours | None = None) -> int:
    """The instant from which a DAY order accepted at an instant is expired; always after it.

    Crypto: the next midnight UTC. Currency: the next 17:00 New York. Shares and futures: the next regular close of
    `hours`, which an order of a weekend or after the close waits for. Source: Lean, TimeInForce.Day. Raises
    InvalidRequest (E_CALENDAR_RANGE) without hours where they decide, or beyond the days they know.
    """
    accepted = from_ns(accepted_ns)
    if asset_class is AssetClass.CRYPTO:
        return to_ns(datetime.combine(accepted.date() + _DAY, time(0), UTC))
    if asset_class is AssetClass.FOREX:
        local = accepted.astimezone(zone(_NEW_YORK))
        day = local.date() if local.time() < _FOREX_END else local.date() + _DAY
        return to_ns(datetime.combine(day, _FOREX_END, zone(_NEW_YORK)).astimezone(UTC))
    if hours is None:
        raise refused("E_CALENDAR_RANGE", "hours", "none", f"the sessions of a venue for {asset_class.value}")
    return hours.next_close(accepted_ns)
