"""What `qmtl risk` reads and shows: scopes, files, tables and pictures of reports and tests of forecasts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from qmtl.cli.commands.risk.reports import _read, _show_report
from qmtl.cli.commands.risk.scopes import scope_fields
from qmtl.cli.show.drawing import risk_picture
from qmtl.core.errors import InvalidRequest
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from tests.worldservice.risk.books import book, message_of, snapshot_of
from worldservice.risk.domain.forecasts.backtest import ForecastDay, backtest_forecasts
from worldservice.risk.domain.report import risk_report
from worldservice.risk.wire.reports import forecast_day_to_proto, forecast_tests_to_proto, report_to_proto

PNG = b"\x89PNG"


def reply(count: int = 3, days: int = 300) -> riskservicepb.GetReportResponse:
    snapshot = snapshot_of(*book(count, days, 1))
    report = risk_report(snapshot)
    header = riskpb.SnapshotHeader(
        version="v1", stage=riskpb.RISK_STAGE_LIVE, state=riskpb.SNAPSHOT_STATE_CURRENT, actor="ann"
    )
    return riskservicepb.GetReportResponse(
        report=report_to_proto(snapshot.scope, report, report.strategies), header=header, same_as_stored=True
    )


def test_a_scope_is_a_world_unless_it_says_otherwise() -> None:
    assert scope_fields("demo") == {"world_id": "demo"}
    assert scope_fields("world:demo") == {"world_id": "demo"}
    assert scope_fields("account:main") == {"account": "main"}
    for text in ("mesh:x", "account:"):
        with pytest.raises(InvalidRequest, match="E_FIELD: SCOPE"):
            scope_fields(text)


def test_a_file_is_a_snapshot_as_json(tmp_path: Path) -> None:
    sent = message_of(snapshot_of(*book(2, 80, 1)))
    (tmp_path / "a.json").write_text(json.dumps(MessageToDict(sent, preserving_proto_field_name=True)))
    assert _read(tmp_path / "a.json") == sent
    for text in ("{", '{"weight": 1}', "[]"):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(InvalidRequest, match=r"E_FIELD: FILE is .*b\.json"):
            _read(tmp_path / "b.json")


def test_a_report_reads_with_its_methods_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    _show_report(reply())
    told = capsys.readouterr().out
    assert "world:w1 LIVE: snapshot v1" in told
    assert "historical" in told
    assert "s0" in told
    short = reply(days=70)
    short.same_as_stored = False
    _show_report(short)
    told = capsys.readouterr().out
    assert "RISK_SAMPLE_SHORT: the historical method has 70 days" in told
    assert "NOT what was stored" in told


def test_pictures_are_drawn(tmp_path: Path) -> None:
    bound = riskpb.ExposureRow(group=riskpb.EXPOSURE_GROUP_SYMBOL, name="BTC", limit="100", headroom="-20")
    risk_picture.draw_report(reply(30).report, [bound], tmp_path / "a.png")
    risk_picture.draw_report(reply(2, 30).report, [], tmp_path / "b.png")
    days = [ForecastDay(739_000 + at, 0.02, 0.018, 0.021, -0.03 if at % 40 == 0 else 0.001) for at in range(260)]
    tested = riskservicepb.BacktestForecastsResponse(
        tests=forecast_tests_to_proto(backtest_forecasts(days)), days=[forecast_day_to_proto(one) for one in days]
    )
    risk_picture.draw_backtest(tested, tmp_path / "c.png")
    assert all((tmp_path / name).read_bytes().startswith(PNG) for name in ("a.png", "b.png", "c.png"))
