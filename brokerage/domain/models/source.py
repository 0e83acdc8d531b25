"""Where a table of rates comes from: a published page, and the day from which it holds. No table is invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from qmtl.core.errors import NotFound

Value = TypeVar("Value")

MISSING_TABLES = {
    "binance_spot_tiers": "Binance's page shows its tiers only to a browser that runs scripts",
    "binance_usdm_tiers": "Binance's page shows its tiers only to a browser that runs scripts",
    "kraken_futures_tiers": "no copy of Kraken's page was found",
    "ibkr_exchange_fees": "they depend on the route; the tiered plan's own commission is there without them",
    "settlement_cycles": "only those of US shares are there: name the instrument's calendar, XNYS or XNAS",
    "usdm_margin_tiers": "they differ by symbol and change: a venue lists its own, else the settings name them",
}
"""Tables a profile could have and does not, by name, each with the reason."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """The page a table was read from: its title, its address, and the date of the page or of the copy."""

    title: str
    address: str
    dated: str


@dataclass(frozen=True, slots=True)
class Dated(Generic[Value]):
    """A value that holds from an instant on, in nanoseconds since the epoch; `source`, where one page is not all's."""

    from_ns: int
    value: Value
    source: TableSource | None = None


def value_at(rows: Sequence[Dated[Value]], at_ns: int, table: str) -> Value:
    """The row in force at an instant; rows are in order of time.

    Raises NotFound (E_PROFILE_TABLE_MISSING) before the first row: what was charged then is not known.
    """
    found = [row.value for row in rows if row.from_ns <= at_ns]
    if not found:
        raise NotFound(
            "E_PROFILE_TABLE_MISSING", f"table {table} begins at {rows[0].from_ns} ns, asked is {at_ns} ns: no rate"
        )
    return found[-1]


def refuse_table(name: str) -> NotFound:
    """The error that says why a table is not there (E_PROFILE_TABLE_MISSING)."""
    return NotFound(
        "E_PROFILE_TABLE_MISSING", f"table {name} is not there: {MISSING_TABLES.get(name, 'no such table')}"
    )
