"""What came of each bar: triple-barrier labels, features beside them, and a split in which training knows no test.

    python examples/label_research.py

The bars are synthetic (rough Bergomi), so there is nothing to find: a split that lets training see the test's future
would show an edge here all the same.
"""

import numpy as np

from qmtl.sdk import StreamInput, generators, labels
from qmtl.sdk import indicators as ta

HORIZON = 24  # bars a label may take


def main() -> None:
    bars = generators.rough_bergomi(generators.Shape(6_000, seed=4, interval="1h"), variance=0.3)
    price = StreamInput(bars.symbol, interval="1h")
    momentum, distance = ta.returns(price, 12), ta.zscore(price, 48)
    label = labels.triple_barrier(price, ta.rolling_vol(price, 48), HORIZON, profit=4.0, loss=4.0)
    found = labels.align(label, [momentum, distance], bars)
    counts = {int(value): int((found.labels == value).sum()) for value in (-1.0, 0.0, 1.0)}
    print(f"{len(found)} labelled bars: {counts[1]} profits, {counts[-1]} losses, {counts[0]} at the last bar")

    split = int(bars.close_ns[4_000])
    training, test = found.before(split), found.after(split)
    across = len(found) - len(training) - len(test)
    print(f"{len(training)} to train on, {len(test)} to test; {across} lie across the split")
    weights, *_ = np.linalg.lstsq(with_constant(training.features), training.labels, rcond=None)
    guessed = with_constant(test.features) @ weights
    print(f"correlation of guess and label out of sample: {np.corrcoef(guessed, test.labels)[0, 1]:+.3f}")


def with_constant(features: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(features)), features])


if __name__ == "__main__":
    main()
