"""Made-up bars of a strategy's graph, for the tests of its author."""

from qmtl.sdk.repeatability.sample import sample_bars

__all__ = ["sample_bars"]
