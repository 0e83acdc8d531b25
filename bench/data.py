"""All measurements of market data in one run, kept in bench/results/data.md.

    python -m bench.data

Each floor is measured in the same process as what stands beside it, so that the machine cancels out.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "bench" / "results" / "data.md"
LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:")  # lines of the log begin with their time
PARTS = {
    "bench.market_data.storage": "in process",
    "bench.market_data.fetch": "over gRPC, from a seamless of its own",
    "bench.market_data.backfill": "from the local exchange, through ccxt",
}


def main() -> None:
    load = os.getloadavg()[0]
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, load average"
        f" {load:.1f} at the beginning. Each floor is of the same run; every read compares SHA-256 of its files."
        " Written by `python -m bench.data`.",
    ]
    for module, where in PARTS.items():
        done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{module}: {done.stderr}")
        said = [line for line in done.stdout.splitlines() if not LOGGED.match(line)]
        sys.stdout.write("".join(f"{line}\n" for line in said))
        lines += ["", f"`{module}`, {where}:", "", *(f"- {line}" for line in said)]
    KEPT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
