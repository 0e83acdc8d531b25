"""A classifier of triple-barrier labels as a signal: trained on the first months, traded on those after them.

    pip install scikit-learn
    python -m examples.ml_signal

The model is linear, so what was learned are a few numbers, which the strategy takes as parameters: its nodes know no
training data, and a label never reaches an order. Training ends where no label of it can know the traded months.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qmtl.core.instants import from_ns
from qmtl.sdk import AccountTerms, Bars, Runner, Strategy, StreamInput, labels, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.graph.vertices import Vertex

HORIZON = 48  # bars a label may take
INSTALL = "this example needs scikit-learn: pip install scikit-learn"


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned: a weight for each feature, and a constant."""

    of_features: tuple[float, ...]
    constant: float


Fit = Callable[[np.ndarray, np.ndarray], Weights]


def features(price: StreamInput) -> list[Vertex]:
    """What is known at a bar's close, each of about the size of 1."""
    return [
        ta.zscore(price, 96),
        ta.returns(price, 16) / ta.rolling_vol(price, 96) * 0.25,
        (ta.rsi(price, 14) - 50.0) / 25.0,
        ta.money_flow(price, 48) * 5.0,
    ]


class MlSignal(Strategy):
    """Long while the learned score is above a bound."""

    name = "ml-signal"

    def __init__(self, weights: Weights, bound: float = 0.1) -> None:
        self.weights, self.bound = weights, bound

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m", period=192)
        weighted = [one * weight for one, weight in zip(features(price), self.weights.of_features, strict=True)]
        score = sum(weighted[1:], start=weighted[0]) + self.weights.constant
        target = signals.position_target(signals.when(long=score > self.bound), long=0.9, hold=False)
        self.trade(target, price, stop_loss="0.03", max_bars=HORIZON)


def logistic(x: np.ndarray, y: np.ndarray) -> Weights:
    """Logistic regression of profit against loss. Raises ImportError without scikit-learn."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found]  # optional

    model = LogisticRegression(C=0.1).fit(x[y != 0.0], y[y != 0.0] > 0.0)
    return Weights(tuple(float(weight) for weight in model.coef_[0]), float(model.intercept_[0]))


def main(fit: Fit = logistic, bars: Bars | None = None) -> str:
    bars = bars or Bars.sample("demo.btc.15m")
    price = StreamInput("BTC-USD", interval="15m", period=192)
    label = labels.triple_barrier(price, ta.rolling_vol(price, 96), HORIZON, profit=6.0, loss=6.0)
    split_ns = int(bars.close_ns[len(bars) * 2 // 3])
    training = labels.align(label, features(price), bars).before(split_ns)
    try:
        weights = fit(training.features, training.labels)
    except ImportError:
        return INSTALL
    terms = AccountTerms(start=from_ns(split_ns))
    result = Runner.backtest(MlSignal(weights), bars, terms=terms)
    learned = ", ".join(f"{weight:+.3f}" for weight in (*weights.of_features, weights.constant))
    return f"{len(training)} labels before {from_ns(split_ns):%Y-%m-%d}; weights {learned}\n{result}"


if __name__ == "__main__":
    print(main())
