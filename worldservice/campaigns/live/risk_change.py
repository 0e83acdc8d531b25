"""What a strategy does to the risk of its world's live book, as it is told in plans and recorded with applies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from qmtl.core.errors import QmtlError
from worldservice.risk.blocks import RiskBlocks
from worldservice.worlds.domain.block import EnteringLive
from worldservice.worlds.domain.world import World

FIGURES = ("vol", "var_99", "es_975")


@dataclass(frozen=True, slots=True)
class RiskFigure:
    """A figure of one day, as a fraction of capital, before and after."""

    name: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class RiskChange:
    """The figures at a share of capital; without any `unknown` says why."""

    share: float = 0.0
    figures: tuple[RiskFigure, ...] = ()
    unknown: str = ""

    def sentence(self) -> str:
        """For the audit log and for people."""
        if not self.figures:
            return f"risk before and after is not known: {self.unknown}"
        told = ", ".join(f"{one.name} {one.before:.6g} to {one.after:.6g}" for one in self.figures)
        return f"risk of the live book with {self.share:.6g} of capital in it: {told}"


@dataclass(frozen=True, slots=True)
class CandidateRisks:
    """Asks the risk hub; None: there is none here."""

    hub: RiskBlocks | None = None

    def of(self, conn: Connection, world: World, strategy_id: str, weights: Sequence[Decimal]) -> RiskChange:
        """Of a strategy at the largest of its sides' weights. What cannot be computed is said, and bars nothing."""
        if self.hub is None:
            return RiskChange(unknown="no risk hub is asked here")
        try:
            told = self.hub.candidate(conn, world, EnteringLive(strategy_id, max(weights, default=Decimal(0))))
        except QmtlError as error:
            return RiskChange(unknown=f"{error.reason}: {error.message}")
        before, after = told.before.figures, told.after.figures
        return RiskChange(told.share, tuple(RiskFigure(name, before[name], after[name]) for name in FIGURES))
