"""`python -m examples.demo`: start a mesh in a temporary folder, tell the story, stop the mesh."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from examples.demo.story import Story
from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.core.errors import QmtlError


def main() -> int:
    """Run the demo; 0 when every chapter came to its end."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="where pictures and report go")
    parser.add_argument("--days", type=int, default=7, help="days kept from the evaluation and traded on paper")
    options = parser.parse_args()
    console = Console(width=110, highlight=False)
    started = time.monotonic()
    try:
        asyncio.run(tell(console, options.out, options.days))
    except QmtlError as error:
        console.print(f"[red]the demo stopped:[/red] {error}")
        return 1
    console.print(f"\nDone in {time.monotonic() - started:.0f} s. Open [bold]{options.out / 'report.html'}[/bold].")
    return 0


async def tell(console: Console, out: Path, days: int) -> None:
    """A mesh of its own around the story."""
    with tempfile.TemporaryDirectory(prefix="qmtl-demo-") as folder:
        console.rule("[bold]A mesh of real processes, for this demo only")
        started = time.monotonic()
        async with Mesh(free_plan(Path(folder) / "home"), report=lambda line: console.print(f"  {line}")) as mesh:
            console.print(f"  ready after {time.monotonic() - started:.1f} s")
            await Story(console, mesh, out, days).tell()
            console.rule("[bold]Stopping the mesh")


if __name__ == "__main__":
    sys.exit(main())
