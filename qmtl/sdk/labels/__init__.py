"""Labels: what came of a bar, known only later. A delayed stream: no decision and no order may read one.

The row of a label stands at the bar at which it became known; it speaks of the bar `max_bars` before it. Training data
is made by `align`: features of the bar, with the label that speaks of it.
"""

from qmtl.sdk.labels.barriers import meta_label, time_barrier, triple_barrier
from qmtl.sdk.labels.training import TrainingSet, align

__all__ = ["TrainingSet", "align", "meta_label", "time_barrier", "triple_barrier"]
