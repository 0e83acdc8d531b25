"""Policy documents to start from, from the laxest to the strictest; plain documents without a special path."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyPreset:
    """A policy document to start from."""

    name: str
    description: str
    document: str


_SANDBOX = """\
data_currency: {max_lag: 1d, min_history: 1d}
selection:
  gates: {and: ["sample_days >= 1", "n_trades >= 1"]}
  score: "sharpe"
  topk: {total: 20}
"""

_CONSERVATIVE = """\
data_currency: {max_lag: 15m, min_history: 365d}
selection:
  gates:
    and:
      - "sample_days >= 365"
      - "n_trades >= 100"
      - "sharpe >= 1.0"
      - "max_drawdown <= 0.15"
      - "profit_factor >= 1.3"
      - "probabilistic_sharpe >= 0.95"
  score: "sharpe - 0.2*ulcer_index"
  topk: {total: 5, by_side: {long: 4, short: 2}}
"""

_MODERATE = """\
data_currency: {max_lag: 15m, min_history: 90d}
selection:
  gates:
    and:
      - "sample_days >= 90"
      - "n_trades >= 40"
      - "sharpe >= 0.6"
      - "max_drawdown <= 0.25"
      - or: ["win_rate >= 0.45", "profit_factor >= 1.2"]
  score: "sharpe + 0.1*win_rate - 0.1*ulcer_index"
  topk: {total: 8, by_side: {long: 5, short: 3}}
"""

_AGGRESSIVE = """\
data_currency: {max_lag: 1h, min_history: 30d}
selection:
  gates: {and: ["sample_days >= 30", "n_trades >= 20", "sharpe >= 0.3", "max_drawdown <= 0.40"]}
  score: "sharpe"
  topk: {total: 12, by_side: {long: 8, short: 6}}
"""

PRESETS: Mapping[str, PolicyPreset] = {
    preset.name: preset
    for preset in (
        PolicyPreset("sandbox", "Learning and demonstrations: anything that ran and traded may go to paper.", _SANDBOX),
        PolicyPreset(
            "conservative", "A year of data, many trades, small drawdown, statistically sound sharpe.", _CONSERVATIVE
        ),
        PolicyPreset("moderate", "Three months of data, a positive sharpe, bounded drawdown.", _MODERATE),
        PolicyPreset("aggressive", "A month of data, weak evidence accepted, wide drawdown.", _AGGRESSIVE),
    )
}
