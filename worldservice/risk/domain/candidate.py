"""What a candidate would do to a book: its risk with (1 - share) in it and `share` in the candidate, same days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from worldservice.risk.domain.covariance import Covariance, covariance_of_days, quadratic_vol
from worldservice.risk.domain.returns import DailyReturns, SharedReturns, shared_returns
from worldservice.risk.domain.tail_risk import TailRisk, components, historical_tail, normal_tail, with_candidate


@dataclass(frozen=True, slots=True)
class BookRisk:
    """Both methods for one book; `historical` None: fewer than 250 shared days."""

    weights: Mapping[str, float]
    vol: float
    normal: TailRisk
    historical: TailRisk | None

    @property
    def figures(self) -> Mapping[str, float]:
        """vol; var_99, es_99, var_975, es_975: the larger of both methods, and each by its name in a report."""
        found = {"vol": self.vol, "var_975": self.normal.var_975}
        if self.historical is not None:
            found["var_975"] = max(found["var_975"], self.historical.var_975)
        for name in ("var_99", "es_99", "es_975"):
            found[name] = found[f"{name}_normal"] = getattr(self.normal, name)
            if self.historical is not None:
                found[f"{name}_historical"] = getattr(self.historical, name)
                found[name] = max(found[name], found[f"{name}_historical"])
        return found


@dataclass(frozen=True, slots=True)
class CandidateRisk:
    """The book before and after, on the same days, and the candidate's correlation to the book before."""

    strategy_id: str
    share: float
    before: BookRisk
    after: BookRisk
    correlation: float
    covariance: Covariance

    @property
    def component_share(self) -> float:
        """The largest share of the normal VaR that a strategy would have; 0 in a book that does not move."""
        parts = components(self.after.weights, self.covariance)
        return 0.0 if self.after.normal.var_99 <= 0 else max(parts.values()) / self.after.normal.var_99

    def incremental(self, figure: str) -> float:
        """What a figure rises by; negative where the candidate diversifies."""
        return self.after.figures[figure] - self.before.figures[figure]


def explain_candidate(
    weights: Mapping[str, float],
    candidate: str,
    share: float,
    returns: Mapping[str, DailyReturns],
    given: Covariance | None = None,
) -> CandidateRisk:
    """The incremental risk of a candidate. `weights` are shares without cash; `given` is used where it has all of them.

    Raises InvalidRequest (E_FIELD) for a share outside (0, 1), NotReady (E_RISK_SAMPLE_SHORT) for too few shared days.
    """
    after = with_candidate(weights, candidate, share)
    ids = sorted(name for name, weight in after.items() if weight > 0)
    known = {name: returns[name] for name in ids if name in returns and returns[name].days}
    shared = shared_returns(known if len(known) == len(ids) else {})
    covers = given is not None and set(ids) <= set(given.ids)
    covariance = given if given is not None and covers else covariance_of_days(shared, known)
    book = _book_risk(weights, ids, covariance, shared)
    return CandidateRisk(
        strategy_id=candidate,
        share=share,
        before=book,
        after=_book_risk(after, ids, covariance, shared),
        correlation=_correlation(weights, candidate, ids, covariance),
        covariance=covariance,
    )


def _book_risk(weights: Mapping[str, float], ids: list[str], covariance: Covariance, shared: SharedReturns) -> BookRisk:
    vector = np.array([weights.get(name, 0.0) for name in ids])
    vol = quadratic_vol(vector, covariance.of(ids))
    historical = historical_tail(shared.weighted(vector)) if shared.ids else None
    return BookRisk(weights, vol, normal_tail(vol), historical)


def _correlation(weights: Mapping[str, float], candidate: str, ids: list[str], covariance: Covariance) -> float:
    """Of the candidate with the book before it; 0 where either does not move."""
    matrix = covariance.of(ids)
    vector = np.array([weights.get(name, 0.0) for name in ids])
    at = ids.index(candidate)
    scale = quadratic_vol(vector, matrix) * float(matrix[at, at]) ** 0.5
    return float(matrix[at] @ vector) / scale if scale > 0 else 0.0
