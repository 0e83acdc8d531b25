"""A strategy's values in a process of its own: `python -m qmtl.cli.projects.fresh FILE[:CLASS]`.

The file is imported and the graph built there, so that what differs already when it is built shows too.
"""

from __future__ import annotations

import json
import sys

from qmtl.cli.projects.loading import load_strategy
from qmtl.core.errors import InvalidRequest
from qmtl.sdk.repeatability.fresh_processes import differing_names, in_two_processes, move_clock
from qmtl.sdk.repeatability.sample import digests, sample_bars
from qmtl.sdk.strategy.assembly import assemble


def differing_nodes(place: str) -> list[str]:
    """Nodes of a strategy whose values over made-up bars differ between two processes.

    Raises InvalidRequest (E_NODE_VALUE) with the end of what a process said when it failed or took too long.
    """
    both = in_two_processes((sys.executable, "-m", __name__, place))
    for ended in both:
        if ended.code:
            raise InvalidRequest("E_NODE_VALUE", f"{place} over made-up bars: {ended.said}")
    one, other = (json.loads(ended.last_line) for ended in both)
    return differing_names(one, other)


def main() -> None:
    """Print the digests of the strategy that is named, as JSON in the last line."""
    move_clock()
    assembled = assemble(load_strategy(sys.argv[1])())
    sys.stdout.write("\n" + json.dumps(digests(assembled.dag, sample_bars(assembled.dag))) + "\n")


if __name__ == "__main__":
    main()
