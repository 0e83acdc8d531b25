"""Features: what is known of a bar at its close, each of about the size of 1."""

from qmtl.sdk import StreamInput, Vertex
from qmtl.sdk import indicators as ta


def features(price: StreamInput) -> dict[str, Vertex]:
    """Streams by name. A model is of the names it was trained on: one that is renamed needs another model."""
    return {
        "distance": ta.zscore(price, 96),
        "momentum": ta.returns(price, 16) / ta.rolling_vol(price, 96) * 0.25,
        "strength": (ta.rsi(price, 14) - 50.0) / 25.0,
    }
