"""A strategy's values in a process of its own: `python -m qmtl.cli.projects.fresh FILE[:CLASS]`.

Values that differ between two such processes, with other hash seeds, folders and homes, come from more than the data.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from qmtl.cli.projects.loading import load_strategy
from qmtl.core.errors import InvalidRequest
from qmtl.sdk.research.sample import digests, sample_bars
from qmtl.sdk.strategy.assembly import assemble

PATIENCE_S = 120.0


def digests_in_fresh_process(place: str, folder: Path, hash_seed: int) -> dict[str, str]:
    """Digests of every node's values over made-up bars, by name; `folder` is its working directory and its home.

    Raises InvalidRequest (E_NODE_VALUE) with the end of what the process said when it failed or took too long.
    """
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "HOME": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = (sys.executable, "-m", __name__, place)
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise InvalidRequest("E_NODE_VALUE", f"{place} took more than {PATIENCE_S:.0f} s over made-up bars") from None
    if done.returncode:
        said = " ".join(done.stderr.strip().splitlines()[-2:]) or "the process ended without a word"
        raise InvalidRequest("E_NODE_VALUE", f"{place} over made-up bars: {said[:500]}")
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the digests of the strategy that is named, as JSON in the last line."""
    assembled = assemble(load_strategy(sys.argv[1])())
    sys.stdout.write("\n" + json.dumps(digests(assembled.dag, sample_bars(assembled.dag))) + "\n")


if __name__ == "__main__":
    main()
