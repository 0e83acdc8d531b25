"""Plans of meshes on free ports whose stores have their tables already; `tests/cli` starts from nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qmtl.cli.local.layout import Plan, free_plan
from qmtl.sql.database import sqlite_url
from tests.support.shared.stores import lay_store

STORED = ("brokerage", "dagmanager", "gateway", "seamless", "worldservice")


def laid_plan(home: Path, config: Path | None = None, replicas: Mapping[str, int] | None = None) -> Plan:
    """`free_plan`, and no service of it has to migrate."""
    for service in STORED:
        lay_store(sqlite_url(home.absolute() / "state" / f"{service}.db"), service)
    return free_plan(home, config, replicas)
