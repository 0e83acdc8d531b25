"""Spans of history to choose on and to test on, apart enough that neither has seen the other.

`purge` is how far ahead a label or a holding reaches: what is learned from ends that long before what is tested, and
begins no earlier than purge + embargo after it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from qmtl.core.errors import refused

US_NS = 1_000


@dataclass(frozen=True, slots=True)
class Split:
    """Spans [start, end) in ns: one or two of training, one of testing."""

    train: tuple[tuple[int, int], ...]
    test: tuple[int, int]


@dataclass(frozen=True, slots=True)
class WalkForward:
    """`folds` tests in a row over the last part of history, each after all (or the last `train`) that came before it.

    `first` is the share of history before the first test. Purge and embargo: of the module.
    """

    folds: int = 5
    first: float = 0.4
    train: timedelta | None = None
    purge: timedelta = timedelta(0)
    embargo: timedelta = timedelta(0)

    def splits(self, start_ns: int, end_ns: int) -> Iterator[Split]:
        """Raises InvalidRequest (E_FIELD) for folds, shares or gaps that leave nothing to train or test on."""
        if self.folds < 1 or not 0.0 < self.first < 1.0:
            raise refused(
                "E_FIELD", "walk_forward", f"{self.folds} folds, first {self.first}", "1 or more; 0 < first < 1"
            )
        begin = start_ns + int((end_ns - start_ns) * self.first)
        edges = [begin + (end_ns - begin) * k // self.folds for k in range(self.folds + 1)]
        gap = _ns(self.purge) + _ns(self.embargo)
        for low, high in itertools.pairwise(edges):
            since = start_ns if self.train is None else max(start_ns, low - gap - _ns(self.train))
            if low - gap <= since or high <= low:
                raise refused(
                    "E_FIELD", "walk_forward", f"purge and embargo of {gap} ns", "less than what is trained on"
                )
            yield Split(((since, low - gap),), (low, high))


def purged_folds(
    start_ns: int, end_ns: int, folds: int, *, purge: timedelta = timedelta(0), embargo: timedelta = timedelta(0)
) -> Iterator[Split]:
    """K folds, each tested once on what is trained on all others without what touches it.

    Source: Lopez de Prado 2018, 7.4. Raises InvalidRequest (E_FIELD).
    """
    if folds < 2:
        raise refused("E_FIELD", "folds", folds, "at least 2")
    edges = [start_ns + (end_ns - start_ns) * k // folds for k in range(folds + 1)]
    for low, high in itertools.pairwise(edges):
        sides = (start_ns, low - _ns(purge)), (high + _ns(purge) + _ns(embargo), end_ns)
        train = tuple((begin, end) for begin, end in sides if begin < end)
        if not train:
            raise refused("E_FIELD", "purge", purge, "less than a fold")
        yield Split(train, (low, high))


def _ns(span: timedelta) -> int:
    if span < timedelta(0):
        raise refused("E_FIELD", "purge or embargo", span, "0 or more")
    return span // timedelta(microseconds=1) * US_NS
