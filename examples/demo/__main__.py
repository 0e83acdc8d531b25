"""`python -m examples.demo`: start a mesh in a temporary folder, tell the story, stop the mesh.

With --address or QMTL_ADDRESS the story is told on that mesh, which must know no world "demo" and no world
"demo-stocks".
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from examples.demo.story import Story
from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.config.endpoint import ADDRESS_VARIABLE
from qmtl.core.errors import QmtlError
from qmtl.rpc.telemetry import logs
from qmtl.sdk.mesh.client import Gateway


def main() -> int:
    """Run the demo; 0 when every chapter came to its end."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where pictures and report go")
    parser.add_argument("--days", type=int, default=7, help="days kept from the evaluation and traded on paper")
    parser.add_argument("--address", default="", help="host:port of a mesh's gateway (QMTL_ADDRESS)")
    parser.add_argument("--token-file", type=Path, help="file of an operator's token (QMTL_TOKEN_FILE, QMTL_TOKEN)")
    parser.add_argument("--ca", type=Path, help="file of the gateway's CA (QMTL_CA)")
    options = parser.parse_args()
    logs.configure(
        "demo", level="ERROR", style="console"
    )  # the story is printed; what a process has to say is in its own log
    there = Gateway(options.address, token_file=options.token_file, ca=options.ca)
    work = told_there if options.address or os.environ.get(ADDRESS_VARIABLE) else told_here
    console = Console(width=110, highlight=False)
    started = time.monotonic()
    try:
        asyncio.run(work(console, there, options.out, options.days))
    except QmtlError as error:
        console.print(f"[red]the demo stopped:[/red] {error}")
        return 1
    console.print(f"\nDone in {time.monotonic() - started:.0f} s. Open [bold]{options.out / 'report.html'}[/bold].")
    return 0


async def told_there(console: Console, gateway: Gateway, out: Path, days: int) -> None:
    """The story on a mesh that runs elsewhere."""
    await Story(console, gateway, out, days).tell()


async def told_here(console: Console, gateway: Gateway, out: Path, days: int) -> None:
    """A mesh of its own around the story."""
    with tempfile.TemporaryDirectory(prefix="qmtl-demo-") as folder:
        console.rule("[bold]A mesh of real processes, for this demo only")
        started = time.monotonic()
        async with Mesh(free_plan(Path(folder) / "home"), report=lambda line: console.print(f"  {line}")) as mesh:
            console.print(f"  ready after {time.monotonic() - started:.1f} s")
            own = replace(gateway, address=mesh.address("gateway"), home=mesh.home)
            await Story(console, own, out, days).tell()
            console.rule("[bold]Stopping the mesh")


if __name__ == "__main__":
    sys.exit(main())
