"""Fetch against a bare polars Parquet read of the same rows, as a ratio; the machine cancels out.

    python -m bench.market_data.fetch     # the sample, and one year of one minute bars

Runs a real seamless process in a temporary home and reads through its contract into client arrays.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from bench._measuring import best_ms  # noqa: E402 - the checkout is put on the path above
from qmtl.core.errors import Unavailable  # noqa: E402
from qmtl.core.roles import Role  # noqa: E402
from qmtl.data.v1 import data_service_pb2 as dataservicepb  # noqa: E402
from qmtl.data.v1 import data_service_pb2_grpc as datarpc  # noqa: E402
from qmtl.rpc.auth.keys import ensure_dev_keys  # noqa: E402
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token  # noqa: E402
from qmtl.rpc.client.channel import connect  # noqa: E402

ROUNDS = 15
YEAR_MINUTES = 525_600
TARGET = 5.0


def write_year(path: Path) -> None:
    """One year of one minute bars, a seeded walk."""
    noise = np.random.default_rng(1)
    close = 50_000 + np.cumsum(noise.normal(size=YEAR_MINUTES))
    opens = np.concatenate(([50_000.0], close[:-1]))
    columns = {
        "time": 1_609_459_200 + 60 * np.arange(YEAR_MINUTES),
        "open": opens,
        "high": np.maximum(opens, close) + 1,
        "low": np.minimum(opens, close) - 1,
        "close": close,
        "volume": noise.random(YEAR_MINUTES),
    }
    pl.DataFrame(columns).write_parquet(path)


def start(home: Path, year: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A seamless process that serves the sample and the year; its port."""
    log = home / "seamless.log"
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}",
        "QMTL__MESH__HOME": str(home),
        "QMTL__SEAMLESS__BIND": "127.0.0.1:0",
        "QMTL__SEAMLESS__FILES": f'{{"year": {{"path": "{year}", "symbol": "X", "interval": "1m"}}}}',
    }
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "seamless"], env=environment, stdout=out, stderr=out)
    while not (found := re.search(rb'"port": (\d+), "services"', log.read_bytes())):
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.02)
    return process, int(found[1])


async def fetch(stub: datarpc.DataServiceAsyncStub, dataset: str) -> tuple[pl.DataFrame, dataservicepb.FetchMetadata]:
    """Every row as client arrays, and the trailer."""
    parts = [part async for part in stub.Fetch(dataservicepb.FetchRequest(dataset=dataset))]
    return pl.concat([pl.read_ipc_stream(io.BytesIO(part.arrow_ipc)) for part in parts[:-1]]), parts[-1].metadata


async def ready(stub: datarpc.DataServiceAsyncStub, dataset: str) -> pl.DataFrame:
    """The rows, once they are ingested."""
    while True:
        try:
            return (await fetch(stub, dataset))[0]
        except Unavailable as error:
            await asyncio.sleep(error.retry_after_s or 0.1)


async def measure(home: Path, port: int) -> None:
    """Print one line for each dataset."""
    user, peer = mint_user_token(home, Role.READER, "bench"), mint_service_token(home, "gateway")
    async with connect(f"127.0.0.1:{port}", user_token=lambda: user, service_token=lambda: peer) as channel:
        stub = datarpc.DataServiceStub(channel)
        tables = {dataset: await ready(stub, dataset) for dataset in ("demo.btc.15m", "file.ohlcv.year")}
        for dataset, rows in tables.items():
            bare = home / f"{dataset}.parquet"
            rows.write_parquet(bare, compression="zstd")

            async def read(path: Path = bare) -> object:
                return pl.read_parquet(path)["close"].to_numpy()

            async def through(name: str = dataset) -> object:
                return (await fetch(stub, name))[0]["close"].to_numpy()

            fetched, direct = await best_ms(through, ROUNDS), await best_ms(read, ROUNDS)
            ratio = fetched / direct
            print(  # noqa: T201 - a bench prints
                f"{dataset}: {len(rows)} rows, fetch {fetched:.1f} ms, bare read {direct:.1f} ms, ratio {ratio:.2f}"
                f" (target for the year < {TARGET:g})"
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ensure_dev_keys(home)
        write_year(home / "year.parquet")
        process, port = start(home, home / "year.parquet")
        try:
            asyncio.run(measure(home, port))
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
