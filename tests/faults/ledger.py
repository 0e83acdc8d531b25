"""What a mesh has acknowledged, written down outside of it before the next act, and what of that does not hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One acknowledged act: its kind, the client's name for it, and what it was answered with."""

    kind: str
    name: str
    answer: str
    asked_s: float
    answered_s: float


@dataclass(frozen=True, slots=True)
class Freeze:
    """From the answer that brokerage had committed it until it was asked to end."""

    began_s: float
    ended_s: float


class Ledger:
    """A file of lines, each on disk before the act after it is begun."""

    def __init__(self, path: Path) -> None:
        self.entries: list[Entry] = []
        self.freezes: list[Freeze] = []
        self._file = path.open("a", encoding="utf-8")

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._put(asdict(entry))

    def write_freeze(self, freeze: Freeze) -> None:
        self.freezes.append(freeze)
        self._put(asdict(freeze))

    def of(self, kind: str) -> list[Entry]:
        return [each for each in self.entries if each.kind == kind]

    def close(self) -> None:
        self._file.close()

    def counts(self) -> dict[str, int]:
        """How many acts of each kind."""
        return {**Counter(each.kind for each in self.entries), "freeze": len(self.freezes)}

    def _put(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


@dataclass(frozen=True, slots=True)
class Held:
    """What the mesh has at the end, by the client's names; lists, so that what is there twice is seen."""

    submissions: Sequence[tuple[str, str]]  # request, strategy
    strategies: Sequence[str]  # all that there are
    orders: Sequence[tuple[str, str]]  # client order id, state
    fills: Sequence[tuple[str, str]]  # client order id, trade id
    applies: Sequence[tuple[str, str]]  # run, state
    buckets: Sequence[str]  # of the queue's records


@dataclass(frozen=True, slots=True)
class Judgement:
    """Names of acts that do not hold."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    passed_in_freeze: list[str] = field(default_factory=list)


DENIED = "ORDER_STATE_DENIED"


def judge(ledger: Ledger, held: Held) -> Judgement:
    """Compare what was acknowledged with what is there.

    Lost: an acknowledged act that is not there, or an order that was denied and is not any more. Doubled: what is there
    twice, a strategy nobody was told of, an order that was filled twice (each fits into one bar).
    """
    found = Judgement()
    for kind, there in (("submission", held.submissions), ("order", held.orders), ("apply", held.applies)):
        by_name = dict(there)
        found.doubled.extend(f"{kind} {name}" for name in _twice(name for name, _ in there))
        for each in ledger.of(kind):
            if each.name not in by_name:
                if each.answer != DENIED:  # what a gate denies is no order
                    found.lost.append(f"{kind} {each.name}")
            elif kind == "submission" and by_name[each.name] != each.answer:
                found.doubled.append(f"submission {each.name}: {each.answer}, {by_name[each.name]}")
            elif kind == "order" and each.answer == DENIED != by_name[each.name]:
                found.lost.append(f"order {each.name} was {each.answer}, is {by_name[each.name]}")
    told = {each.answer for each in ledger.of("submission")}
    found.doubled.extend(f"strategy {each}" for each in held.strategies if each not in told)
    found.doubled.extend(f"fill of {name}" for name in _twice(name for name, _ in held.fills))
    found.doubled.extend(f"trade {trade}" for trade in _twice(trade for _, trade in held.fills))
    found.doubled.extend(f"bucket {bucket}" for bucket in _twice(held.buckets))
    kept = set(held.buckets)
    found.lost.extend(f"bucket {each.name}" for each in ledger.of("record") if each.name not in kept)
    found.passed_in_freeze.extend(
        f"order {each.name}"
        for each in ledger.of("order")
        if each.answer != DENIED and any(_inside(each, one) for one in ledger.freezes)
    )
    return found


def _inside(act: Entry, freeze: Freeze) -> bool:
    return freeze.began_s <= act.asked_s and act.answered_s <= freeze.ended_s


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
