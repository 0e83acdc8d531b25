"""Synthetic bars from a seed: for tests, for examples, and to see what a strategy makes of a market without an edge.

Each takes the same `Shape` and makes `Bars`. None of it is history: the symbol is SYNTHETIC unless it is named.
"""

from qmtl.sdk.generators.diffusions import gbm, heston
from qmtl.sdk.generators.garch import garch
from qmtl.sdk.generators.rough import rough_bergomi
from qmtl.sdk.generators.shape import Shape

__all__ = ["Shape", "garch", "gbm", "heston", "rough_bergomi"]
