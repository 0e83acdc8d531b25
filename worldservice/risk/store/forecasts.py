"""Rows of forecasts: the first of a UTC day stays as it is."""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.sql.instants import micros
from worldservice.risk.domain.forecasts.forecast import FIGURES, Forecast
from worldservice.risk.domain.header import SnapshotHeader
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import RiskStage
from worldservice.risk.tables import risk_forecasts


def has_forecast(conn: Connection, scope: Scope, stage: RiskStage, day: int) -> bool:
    """Whether the day has its forecast already."""
    table = risk_forecasts.c
    where = (table.scope == scope.text, table.stage == stage.value, table.day == day)
    return conn.execute(sa.select(table.day).where(*where)).scalar_one_or_none() is not None


def insert_forecast(conn: Connection, header: SnapshotHeader, forecast: Forecast) -> None:
    """Add the forecast of a day that has none. The caller holds the scope's lock."""
    conn.execute(
        sa.insert(risk_forecasts).values(
            scope=header.scope.text,
            stage=header.stage.value,
            day=forecast.day,
            snapshot_version=forecast.snapshot_version,
            weights=json.dumps(dict(forecast.weights)),
            figures=json.dumps({name: getattr(forecast, name) for name in FIGURES}),
            created_us=micros(header.created_at),
        )
    )


def forecasts_of(conn: Connection, scope: Scope, stage: RiskStage, first_day: int, last_day: int) -> list[Forecast]:
    """Forecasts of the days from first to last, oldest first."""
    table = risk_forecasts.c
    where = (table.scope == scope.text, table.stage == stage.value, table.day.between(first_day, last_day))
    rows = conn.execute(sa.select(risk_forecasts).where(*where).order_by(table.day)).mappings()
    return [
        Forecast(row["day"], row["snapshot_version"], json.loads(row["weights"]), **json.loads(row["figures"]))
        for row in rows
    ]
