"""A strategy's values in a process of its own: `python -m qmtl.cli.projects.fresh FILE[:CLASS]`.

The file is imported and the graph built there, so that what differs already when it is built shows too.
"""

from __future__ import annotations

import sys

from qmtl.cli.projects.loading import load_strategy
from qmtl.core.errors import InvalidRequest
from qmtl.sdk.repeatability.fresh_processes import differing_names
from qmtl.sdk.repeatability.sample import digests, sample_bars
from qmtl.sdk.repeatability.two_processes import answer, begin_process, in_two_processes
from qmtl.sdk.strategy.assembly import assemble


def differing_nodes(place: str) -> list[str]:
    """Nodes of a strategy whose values over made-up bars differ between two processes.

    Raises InvalidRequest (E_NODE_VALUE) with the end of what a process said when it failed or took too long.
    """
    both = in_two_processes((sys.executable, "-m", __name__, place))
    for ended in both:
        if ended.answer is None:
            raise InvalidRequest("E_NODE_VALUE", f"{place} over made-up bars: {ended.said}")
    one, other = (ended.answer for ended in both)
    return differing_names(one, other)


def main() -> None:
    """Answer with the digests of the strategy that is named."""
    begin_process()
    assembled = assemble(load_strategy(sys.argv[1])())
    answer(digests(assembled.dag, sample_bars(assembled.dag)))


if __name__ == "__main__":
    main()
