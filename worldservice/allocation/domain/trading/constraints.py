"""Constraints on orders by venue and symbol, merged field by field, and what instruments ask for themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction

from qmtl.core.errors import Exhausted, refused
from worldservice.allocation.domain.legs import Held, LegReason

ROWS_MAX = 500
ANY = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What binds orders in a symbol. None: not stated. Quantities in units of it, notionals in its quote currency."""

    lot: Fraction | None = None
    quantity_min: Fraction | None = None
    notional_min: Fraction | None = None
    order_notional_max: Fraction | None = None
    canonical: str | None = None

    def over(self, before: Terms) -> Terms:
        """These terms over others: what is stated here wins."""
        stated = {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) is not None}
        return replace(before, **stated)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of constraints; an empty venue or symbol is every one."""

    venue: str
    symbol: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Constraints:
    """Rows over the instruments' own terms. Build with `constraints_of`."""

    rows: Mapping[tuple[str, str], Terms]
    instruments: Mapping[tuple[str, str], Terms]
    _merged: dict[tuple[str, str], Terms] = field(default_factory=dict, repr=False, compare=False)

    def of(self, venue: str, symbol: str) -> Terms:
        """The terms in force: the instrument's, then (*, *), (*, symbol), (venue, *), (venue, symbol); later wins."""
        known = self._merged.get((venue, symbol))
        if known is not None:
            return known
        found = self.instruments.get((venue, symbol), Terms())
        for key in ((ANY, ANY), (ANY, symbol), (venue, ANY), (venue, symbol)):
            if key in self.rows:
                found = self.rows[key].over(found)
        self._merged[venue, symbol] = found
        return found

    def canonical(self, venue: str, symbol: str) -> str:
        """The symbol that orders name: one hop, not more."""
        return self.of(venue, symbol).canonical or symbol


def constraints_of(rows: Sequence[Row], instruments: Mapping[tuple[str, str], Terms]) -> Constraints:
    """Checked constraints.

    Raises InvalidRequest (E_DUPLICATE_KEY, E_CONSTRAINT): a venue and symbol twice, an alias in a circle or for every
    symbol, a step of 0, a lot that is no multiple of the instrument's. Raises Exhausted (E_TOO_MANY_ROWS).
    """
    if len({row.symbol for row in rows}) > ROWS_MAX or len(rows) > 2 * ROWS_MAX:
        raise Exhausted("E_TOO_MANY_ROWS", f"{len(rows)} rows of constraints, want at most {ROWS_MAX} symbols")
    by_key: dict[tuple[str, str], Terms] = {}
    for index, row in enumerate(rows):
        path = f"constraints[{index}]"
        if (row.venue, row.symbol) in by_key:
            raise refused("E_DUPLICATE_KEY", path, f"{row.venue or '*'} {row.symbol or '*'}", "each once")
        _check_row(row, path)
        by_key[row.venue, row.symbol] = row.terms
    found = Constraints(by_key, instruments)
    for venue in sorted({row.venue for row in rows}):
        for row in rows:
            _check_circle(found, venue, row.symbol)
    for (venue, symbol), own in instruments.items():
        lot = found.of(venue, symbol).lot
        if own.lot is not None and lot is not None and lot % own.lot:
            want = f"a multiple of the instrument's lot {own.lot}"
            raise refused("E_CONSTRAINT", f"lot of {symbol} at {venue or '*'}", str(lot), want)
    return found


def aliased(held: Iterable[Held], constraints: Constraints) -> tuple[list[Held], frozenset[tuple[str, str, str, str]]]:
    """Positions under their canonical symbols, added up by owner, and the keys of those that an alias renamed."""
    sums: dict[tuple[str, str, str, str], Held] = {}
    renamed = set()
    for each in held:
        symbol = constraints.canonical(each.venue, each.symbol)
        key = (*each.owner, each.venue, symbol)
        if symbol != each.symbol:
            renamed.add(key)
        before = sums.get(key)
        if before is None:
            sums[key] = each if symbol == each.symbol else replace(each, symbol=symbol)
        else:
            mark = each.mark if symbol == each.symbol else before.mark
            sums[key] = Held(each.owner, each.venue, symbol, each.quantity + before.quantity, mark)
    return [sums[key] for key in sorted(sums)], frozenset(renamed)


def notes_of(key: tuple[str, str, str, str], renamed: frozenset[tuple[str, str, str, str]]) -> tuple[LegReason, ...]:
    """What a leg says of its alias."""
    return (LegReason.SYMBOL_ALIASED,) if key in renamed else ()


def _check_row(row: Row, path: str) -> None:
    terms = row.terms
    if terms.canonical is not None and not row.symbol:
        raise refused("E_CONSTRAINT", f"{path}.canonical_symbol", terms.canonical, "an alias of one symbol")
    for name, value in (("lot", terms.lot), ("order_notional_max", terms.order_notional_max)):
        if value is not None and value <= 0:
            raise refused("E_CONSTRAINT", f"{path}.{name}", str(value), "above 0")
    for name, value in (("quantity_min", terms.quantity_min), ("notional_min", terms.notional_min)):
        if value is not None and value < 0:
            raise refused("E_CONSTRAINT", f"{path}.{name}", str(value), "0 or more")


def _check_circle(found: Constraints, venue: str, symbol: str) -> None:
    """Followed to its end an alias never comes back, although orders go one hop only."""
    seen, at = [symbol], found.canonical(venue, symbol)
    while at != seen[-1]:
        if at in seen:
            raise refused("E_CONSTRAINT", "canonical_symbol", " -> ".join([*seen, at]), "no circle of aliases")
        seen.append(at)
        at = found.canonical(venue, at)
