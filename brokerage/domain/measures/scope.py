"""What a scope of the risk hub, a world or an account, holds and earned, added up over the accounts that it draws on.

Capital of a strategy: its allocated share of its account's equity; the whole of it where no shares are set and it
trades there alone. Where neither is known nothing is put in its place: the scope cannot be measured, and the error says
of whom. A day's return counts the shares that were set at its start.

What is held by no strategy (by hand, by the venue, a world's hedge) is a line of its own under its owner's name. Its
capital is its share where it has one, else what the shares leave of the account, in equal parts among such lines; its
part of the portfolio's return is its profit over equity however large that is. Where nothing is left the error says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.measures.daily import EPOCH, StrategyDays, day_return, is_strategy
from brokerage.domain.orders.order import Owner
from qmtl.core.errors import NotReady

CASH = "@cash"


@dataclass(frozen=True, slots=True)
class Holding:
    """A position with its open orders at the mark; worth in scaled currency of the account, `reserved` 0 or more."""

    owner: Owner
    instrument: Instrument
    quantity: int
    mark: int
    notional: int
    reserved: int


@dataclass(frozen=True, slots=True)
class ShareSet:
    """Shares of an account's equity by strategy, whole: who is absent has none."""

    since_day: int
    shares: Mapping[Owner, Fraction]


@dataclass(frozen=True, slots=True)
class AccountMeasure:
    """An account at one place of its ledger. `equity` in scaled `currency`; `as_of_ns`: up to when its prices hold.

    `shares` are the sets of allocated shares, each with the first day that begins under it, oldest first. `others`:
    days of who holds something and is no strategy.
    """

    account: str
    worlds: tuple[str, ...]
    live: bool
    currency: str
    sequence: int
    as_of_ns: int
    equity: int
    days: Mapping[Owner, StrategyDays]
    shares: tuple[ShareSet, ...]
    holdings: tuple[Holding, ...]
    others: Mapping[Owner, StrategyDays] = field(default_factory=dict)

    @property
    def holders(self) -> Mapping[Owner, StrategyDays]:
        """Days of all lines of the account: of strategies, and of who else holds something."""
        return {**self.days, **self.others}

    def share_of(self, owner: Owner, day: int | None = None) -> Fraction | None:
        """A strategy's share of the equity at the start of a UTC day, or now; None: not known."""
        sets = [one for one in self.shares if day is None or one.since_day <= day]
        if not is_strategy(owner):
            return self._share_of_other(owner)
        if sets:
            return sets[-1].shares.get(owner, Fraction(0))
        return Fraction(1) if len(self.days) == 1 else None

    def _share_of_other(self, owner: Owner) -> Fraction | None:
        """The newest shares count for all days: they scale the line, not what it adds to the portfolio."""
        own = self.shares[-1].shares if self.shares else {}
        if owner in own:
            return own[owner]
        taken = [self.share_of(each) for each in self.days] + [own[each] for each in self.others if each in own]
        left = 1 - sum((one for one in taken if one is not None), Fraction(0))
        return left / sum(each not in own for each in self.others)


@dataclass(frozen=True, slots=True)
class ScopeMeasure:
    """What is put of a scope: shares of its capital, daily returns by ordinal day (`date.toordinal`), holdings."""

    scope: str
    live: bool
    currency: str
    sequence: int
    as_of_ns: int
    capital: int
    weights: Mapping[str, Fraction]
    returns: Mapping[str, Mapping[int, float]]
    closed: Mapping[str, tuple[int, ...]]
    holdings: tuple[tuple[str, Holding], ...]


def measure_account(account: AccountMeasure) -> ScopeMeasure:
    """An account with all worlds that draw on it; ids are world_id/strategy_id, of who is in no world "@operator" and
    the like. Raises NotReady (E_RISK_INPUT).
    """
    ids = {
        owner: owner.strategy_id if owner.in_no_world else f"{owner.world_id}/{owner.strategy_id}"
        for owner in _owners(account)
    }
    return _measured(f"account:{account.account}", [account], ids, Fraction(account.equity))


def measure_world(world_id: str, accounts: Sequence[AccountMeasure]) -> ScopeMeasure:
    """A world in its accounts of one stage. An account that no other world uses is the world's whole capital there, of
    one that worlds share its strategies' shares are. Raises NotReady (E_RISK_INPUT).
    """
    capital, ids = Fraction(0), dict[Owner, str]()
    for account in accounts:
        own = {owner: owner.strategy_id for owner in _owners(account) if owner.world_id == world_id}
        ids |= own
        whole = account.worlds == (world_id,)
        capital += account.equity if whole else sum((_capital(account, owner) for owner in own), Fraction(0))
    return _measured(f"world:{world_id}", accounts, ids, capital)


def _owners(account: AccountMeasure) -> list[Owner]:
    return [*account.holders, *sorted({one.owner for one in account.holdings} - {*account.holders}, key=_key)]


def _measured(
    scope: str, accounts: Sequence[AccountMeasure], ids: Mapping[Owner, str], capital: Fraction
) -> ScopeMeasure:
    currencies = sorted({one.currency for one in accounts})
    if len(currencies) != 1:
        raise _missing(scope, f"its accounts are in {', '.join(currencies)}")
    if capital <= 0:
        raise _missing(scope, "it has no capital")
    held = [(ids[one.owner], one) for account in accounts for one in account.holdings if one.owner in ids]
    weights: dict[str, Fraction] = {}
    returns: dict[str, Mapping[int, float]] = {}
    closed: dict[str, tuple[int, ...]] = {}
    for name in sorted(set(ids.values())):
        parts = [(one, owner) for one in accounts for owner in one.holders if ids.get(owner) == name]
        for account, owner in parts:
            if not is_strategy(owner) and not _capital(account, owner):
                told = f"{name} holds something, and the shares of account {account.account} leave nothing for it"
                raise _missing(scope, told)
        weights[name] = sum((_capital(account, owner) for account, owner in parts), Fraction(0)) / capital
        found, shut = _returns(parts)
        if weights[name] and not found:
            raise _missing(scope, f"{name} has no whole day with prices yet")
        if found:
            first = min(found)
            returns[name], closed[name] = found, tuple(day for day in shut if day > first)
    total = sum(weights.values(), Fraction(0))
    if total > 1:
        raise _missing(scope, f"its shares sum to {float(total):.6g}, more than its capital")
    weights[CASH] = 1 - total
    return ScopeMeasure(
        scope=scope,
        live=accounts[0].live,
        currency=currencies[0],
        sequence=sum(one.sequence for one in accounts),
        as_of_ns=min(one.as_of_ns for one in accounts),
        capital=int(capital),
        weights={name: share for name, share in weights.items() if share or name == CASH},
        returns=returns,
        closed=closed,
        holdings=tuple(held),
    )


def _returns(parts: Sequence[tuple[AccountMeasure, Owner]]) -> tuple[dict[int, float], tuple[int, ...]]:
    """Returns by ordinal day that all accounts of a strategy know, and the days that are closed in all of them."""
    days = [account.holders[owner] for account, owner in parts]
    shared = set.intersection(*({*one.profits} for one in days)) if days else set()
    found: dict[int, float] = {}
    for day in sorted(shared):
        shares = [account.share_of(owner, day) for account, owner in parts]
        known = [one.equity[day] * share for one, share in zip(days, shares, strict=True) if share is not None]
        value = day_return(sum(one.profits[day] for one in days), sum(known, Fraction(0)))
        if value is not None and len(known) == len(parts):
            found[EPOCH + day] = value
    shut = set.intersection(*({*one.closed} for one in days)) if days else set()
    return found, tuple(EPOCH + day for day in sorted(shut))


def _capital(account: AccountMeasure, owner: Owner) -> Fraction:
    return account.equity * _share(account, owner) if owner in account.holders else Fraction(0)


def _share(account: AccountMeasure, owner: Owner) -> Fraction:
    share = account.share_of(owner)
    if share is None:
        told = f"{owner.world_id}/{owner.strategy_id} has no share of account {account.account}"
        raise _missing(f"account:{account.account}", f"{told}, where {len(account.days)} strategies trade")
    return share


def _missing(scope: str, what: str) -> NotReady:
    return NotReady("E_RISK_INPUT", f"{scope} cannot be measured: {what}", hint="nothing is put in its place")


def _key(owner: Owner) -> tuple[str, str]:
    return owner.world_id, owner.strategy_id
