"""What a snapshot has to be before it is stored: every bad input by its name and its path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.core.identity.canonical import digest
from qmtl.risk.v1 import risk_pb2 as riskpb
from tests.worldservice.risk.books import AS_OF, book, message_of, series, snapshot_of
from worldservice.risk.domain.report import risk_report
from worldservice.risk.domain.returns import daily_returns
from worldservice.risk.domain.scope import parse_scope
from worldservice.risk.domain.snapshot import CovarianceTriangle, Exposure, Scenario
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.intake import Arrival, arrival
from worldservice.risk.wire.snapshots import contents_of, snapshot_from_proto

WORLD = parse_scope("world:w1")
NAN, INFINITE = float("nan"), float("inf")
Change = Callable[[riskpb.RiskSnapshot], object]


def good() -> riskpb.RiskSnapshot:
    return message_of(snapshot_of(*book(2, 300, 1)))


def taken(message: riskpb.RiskSnapshot, files: str = "", after_s: float = 0.0) -> Arrival:
    return arrival(message, WORLD, "service:brokerage", AS_OF + timedelta(seconds=after_s), SnapshotFiles(files))


def test_a_snapshot_survives_the_wire_and_its_hash_with_it() -> None:
    weights, returns = book(2, 300, 1)
    days = [AS_OF.date() - timedelta(days=back) for back in (9, 5, 2)]
    weekdays = daily_returns({days[0]: 0.01, days[2]: 0.01}, [days[1]])
    whole = replace(
        snapshot_of(weights, {**returns, "other": weekdays}),
        covariance=CovarianceTriangle(("s0", "s1"), (1e-4, 1e-5, 1e-4)),
        exposures=(Exposure("s0", "BTC", Decimal("-1.5"), Decimal(100), Decimal(-150), "layer1", "crypto"),),
        scenarios=(Scenario("crash", {"BTC": -0.5}, {}, {}),),
        capital=Decimal("1000.5"),
        currency="USD",
        ttl=timedelta(seconds=60),
    )
    read, faults = snapshot_from_proto(message_of(whole), WORLD, "service:brokerage")
    assert not faults
    assert read.content_hash() == whole.content_hash()
    assert risk_report(read) == risk_report(whole)
    content, kept = contents_of(message_of(whole))
    again, _ = snapshot_from_proto(riskpb.RiskSnapshot.FromString(content + kept), WORLD, "service:brokerage")
    assert again.content_hash() == whole.content_hash()


def test_what_a_producer_says_of_itself_is_not_kept() -> None:
    message = good()
    message.actor, message.hash, message.revision, message.scope = "else", "blake3:00", 99, "world:other"
    assert taken(message).hash == taken(good()).hash


def _set(**fields: object) -> Change:
    def change(message: riskpb.RiskSnapshot) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


def _weight(at: int, **fields: object) -> Change:
    def change(message: riskpb.RiskSnapshot) -> None:
        for name, value in fields.items():
            setattr(message.weights[at], name, value)

    return change


def _series(**fields: object) -> Change:
    def change(message: riskpb.RiskSnapshot) -> None:
        one = message.returns[0]
        for name, value in fields.items():
            if isinstance(value, list):
                one.ClearField(name)
                getattr(one, name).extend(value)
            else:
                setattr(one, name, value)

    return change


def _covariance(ids: list[str], triangle: list[float]) -> Change:
    return lambda m: m.covariance.CopyFrom(riskpb.RiskCovariance(ids=ids, lower_triangle=triangle))


def _exposed(**fields: str) -> Change:
    given = {"strategy_id": "s0", "symbol": "BTC", "quantity": "1", "mark": "1", "notional": "1", **fields}
    return lambda message: message.exposures.append(riskpb.RiskExposure(**given))


def _scenario(**fields: object) -> Change:
    return lambda message: message.scenarios.append(riskpb.StressScenario(**fields))  # type: ignore[arg-type]  # of it


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (_set(version=""), "snapshot.version"),
        (_set(version="a b"), "snapshot.version"),
        (_set(version="x" * 65), "snapshot.version"),
        (lambda m: m.ttl.FromSeconds(0), "snapshot.ttl"),
        (lambda m: m.ttl.FromSeconds(86_401), "snapshot.ttl"),
        (lambda m: m.ttl.FromMilliseconds(1500), "snapshot.ttl"),
        (_set(capital="1e3"), "snapshot.capital"),
        (_set(currency="x" * 17), "snapshot.currency"),
        (lambda m: m.ClearField("weights"), "snapshot.weights"),
        (_weight(0, share=NAN), "snapshot.weights.s0"),
        (_weight(0, share=INFINITE), "snapshot.weights.s0"),
        (_weight(0, share=-0.1), "snapshot.weights.s0"),
        (_weight(0, share=0.9), "snapshot.weights"),
        (_weight(0, id="s1"), "snapshot.weights[1].id"),
        (_weight(0, id=""), "snapshot.weights[0].id"),
        (_series(values=[], offsets=[]), "snapshot.returns.s0"),
        (_series(values=[NAN], offsets=[]), "snapshot.returns.s0.values[0]"),
        (_series(values=[0.1, 0.1], offsets=[0, 0]), "snapshot.returns.s0.days"),
        (_series(values=[0.1, 0.1], offsets=[0]), "snapshot.returns[0].offsets"),
        (_series(values=[0.1], offsets=[1]), "snapshot.returns[0].offsets"),
        (_series(closed_offsets=[5, 4]), "snapshot.returns.s0.closed"),
        (_series(start_day="2026-7-1"), "snapshot.returns[0].start_day"),
        (_series(start_day="2026-07-01", values=[0.1]), "snapshot.returns.s0"),
        (_series(start_day="9999-12-31"), "snapshot.returns[0]"),
        (_series(id="s1"), "snapshot.returns[1].id"),
        (_series(id="@cash"), "snapshot.returns[0].id"),
        (_series(start_day="1900-01-01", values=[0.0] * 20_001), "snapshot.returns"),
        (_covariance(["s1", "s0"], [1e-4, 0.0, 1e-4]), "snapshot.covariance.ids"),
        (_covariance(["s0", "s1"], [1e-4, NAN, 1e-4]), "snapshot.covariance.lower_triangle[1]"),
        (_covariance(["s0", "s1"], [1e-4] * 4), "snapshot.covariance.lower_triangle"),
        (_covariance([f"s{i:03}" for i in range(101)], [0.0]), "snapshot.covariance.ids"),
        (_exposed(quantity="x"), "snapshot.exposures[0].quantity"),
        (_exposed(mark="-1"), "snapshot.exposures[0].mark"),
        (_exposed(reserved="-1"), "snapshot.exposures[0].reserved"),
        (_exposed(symbol=""), "snapshot.exposures[0].symbol"),
        (_scenario(name="Crash", by_symbol={"X": -0.1}), "snapshot.scenarios[0].name"),
        (_scenario(name="correlation_one", by_symbol={"X": -0.1}), "snapshot.scenarios[0].name"),
        (_scenario(name="crash", by_symbol={"X": -1.5}), "snapshot.scenarios[0].X"),
        (_scenario(name="crash"), "snapshot.scenarios[0]"),
        (_scenario(name="then", first_day="2026-02-01", last_day="2026-01-01"), "snapshot.scenarios[0].first_day"),
        (_scenario(name="then", first_day="2026-02-30", last_day="2026-03-01"), "snapshot.scenarios[0].first_day"),
    ],
)
def test_a_field_that_is_wrong_is_named_by_its_path(change: Change, path: str) -> None:
    message = good()
    change(message)
    with pytest.raises(InvalidRequest, match="E_SNAPSHOT_FIELD") as refused:
        taken(message)
    assert path in [one.field for one in refused.value.violations]


def test_all_faults_are_told_together() -> None:
    message = good()
    for change in (_set(version=""), _weight(0, share=NAN), _series(values=[NAN], offsets=[])):
        change(message)
    with pytest.raises(InvalidRequest, match="E_SNAPSHOT_FIELD") as refused:
        taken(message)
    assert {one.field for one in refused.value.violations} >= {
        "snapshot.version",
        "snapshot.weights.s0",
        "snapshot.returns.s0.values[0]",
    }


def test_times_are_judged_by_as_of() -> None:
    message = good()
    assert taken(message, after_s=-5).snapshot.as_of == AS_OF
    with pytest.raises(InvalidRequest, match="E_AS_OF_FUTURE"):
        taken(message, after_s=-5.000001)
    assert taken(message, after_s=899.999999).snapshot.as_of == AS_OF
    with pytest.raises(NotReady, match=r"E_SNAPSHOT_EXPIRED.* 900 s ago") as late:
        taken(message, after_s=900)
    assert late.value.metadata["age_s"] == "900"
    message.ClearField("as_of")
    with pytest.raises(InvalidRequest, match="E_TIMESTAMP"):
        taken(message)
    message = good()
    message.stage = riskpb.RISK_STAGE_UNSPECIFIED
    with pytest.raises(InvalidRequest, match="E_ENUM"):
        taken(message)


def test_a_covariance_has_every_pair_that_the_weights_need() -> None:
    message = good()
    _covariance(["s0"], [1e-4])(message)
    with pytest.raises(InvalidRequest, match=r"E_COVARIANCE_INCOMPLETE.*\(s0, s1\)") as refused:
        taken(message)
    assert refused.value.metadata["pair"] == "s0,s1"
    _covariance(["s0", "s1"], [1e-4, 5e-4, 1e-4])(message)
    with pytest.raises(InvalidRequest, match="E_COVARIANCE_NOT_PSD"):
        taken(message)


def test_a_strategy_without_any_number_is_named() -> None:
    message = good()
    del message.returns[1]
    with pytest.raises(NotReady, match=r"E_RISK_INPUT.* of s1"):
        taken(message)


def ref_of(path: Path, table: pa.Table) -> riskpb.RiskDataRef:
    pq.write_table(table, path)
    body = path.read_bytes()
    return riskpb.RiskDataRef(url=path.name, hash=digest(body), bytes=len(body))


def test_files_beside_a_snapshot_are_read_below_the_root_only(tmp_path: Path) -> None:
    _, returns = book(2, 300, 1)
    rows = [
        (name, day, value) for name, one in returns.items() for day, value in zip(one.days, one.values, strict=True)
    ]
    table = pa.table(
        {
            "id": [row[0] for row in rows],
            "day": pa.array([row[1] - 719_163 for row in rows], pa.int32()).cast(pa.date32()),
            "value": pa.array([row[2] for row in rows], pa.float64()),
        }
    )
    inline, message = good(), good()
    del message.returns[:]
    message.returns_ref.CopyFrom(ref_of(tmp_path / "returns.parquet", table))
    assert taken(message, str(tmp_path)).report.figures == taken(inline).report.figures
    assert taken(message, str(tmp_path)).hash == taken(inline).hash
    for url in ("../returns.parquet", "/etc/passwd", "a/../returns.parquet", "s3://bucket/x", "x*"):
        message.returns_ref.url = url
        with pytest.raises(InvalidRequest, match="E_REF_FORBIDDEN"):
            taken(message, str(tmp_path))
    message.returns_ref.url = "gone.parquet"
    with pytest.raises(NotReady, match="E_REF_UNREADABLE"):
        taken(message, str(tmp_path))
    message.returns_ref.url = "returns.parquet"
    with pytest.raises(InvalidRequest, match="E_REF_FORBIDDEN"):
        taken(message)  # without a root nothing is
    message.returns_ref.bytes += 1
    with pytest.raises(NotReady, match="E_REF_SIZE"):
        taken(message, str(tmp_path))
    message.returns_ref.bytes -= 1
    body = (tmp_path / "returns.parquet").read_bytes()
    (tmp_path / "returns.parquet").write_bytes(body[:-1] + b"x")
    with pytest.raises(NotReady, match="E_REF_HASH"):
        taken(message, str(tmp_path))
    (tmp_path / "returns.parquet").write_bytes(body)
    message.returns.extend(inline.returns)
    with pytest.raises(InvalidRequest, match="set beside returns"):
        taken(message, str(tmp_path))


def test_a_file_of_other_columns_or_pairs_is_refused(tmp_path: Path) -> None:
    message = good()
    message.covariance_ref.CopyFrom(ref_of(tmp_path / "a.parquet", pa.table({"first": ["s0"], "value": [1e-4]})))
    with pytest.raises(InvalidRequest, match=r"E_SNAPSHOT_FIELD: snapshot\.covariance_ref\.second"):
        taken(message, str(tmp_path))
    pairs = pa.table({"first": ["s0", "s1"], "second": ["s0", "s1"], "value": [1e-4, 1e-4]})
    message.covariance_ref.CopyFrom(ref_of(tmp_path / "b.parquet", pairs))
    with pytest.raises(InvalidRequest, match=r"E_COVARIANCE_INCOMPLETE.*\(s0, s1\)"):
        taken(message, str(tmp_path))
    pairs = pa.table({"first": ["s0", "s0", "s1"], "second": ["s0", "s1", "s1"], "value": [1e-4, 0.0, 1e-4]})
    message.covariance_ref.CopyFrom(ref_of(tmp_path / "c.parquet", pairs))
    assert taken(message, str(tmp_path)).report.shrinkage is None
    (tmp_path / "d.parquet").write_bytes(b"none")
    message.covariance_ref.CopyFrom(riskpb.RiskDataRef(url="d.parquet", hash=digest(b"none"), bytes=4))
    with pytest.raises(NotReady, match=r"E_REF_UNREADABLE.*no Parquet"):
        taken(message, str(tmp_path))


def test_a_series_may_be_of_a_strategy_without_a_weight() -> None:
    weights, returns = book(2, 300, 1)
    found = taken(message_of(snapshot_of(weights, {**returns, "candidate": series([0.01] * 70)})))
    assert [one.strategy_id for one in found.report.strategies] == ["s0", "s1"]


def test_numbers_so_large_that_risk_would_read_as_none_are_refused() -> None:
    message = good()
    for weight in message.weights:
        weight.share = 1.7e308
    message.returns[0].values[5] = -1e160
    message.covariance.CopyFrom(riskpb.RiskCovariance(ids=["s0", "s1"], lower_triangle=[1e-4, 0.0, 1e300]))
    with pytest.raises(InvalidRequest) as caught:
        taken(message)
    assert [one.field for one in caught.value.violations] == [
        "snapshot.weights", "snapshot.returns.s0.values[5]", "snapshot.covariance.lower_triangle[2]",
    ]  # fmt: skip


def test_few_points_over_very_many_days_are_refused() -> None:
    message = good()
    for at in range(10):
        message.returns.add(id=f"t{at}", start_day="0001-01-01", values=[0.0, 0.0], offsets=[0, 700_000])
    with pytest.raises(InvalidRequest, match=r"snapshot\.returns is 7000\d+ days from first to last, want at most"):
        taken(message)


def test_files_are_looked_at_before_they_are_unpacked(tmp_path: Path) -> None:
    message = good()
    del message.returns[:]
    rows = 2_010_000
    day = pa.array([1], pa.date32()).take(pa.array([0] * rows))
    many = pa.table({"id": pa.array(["s0"] * rows), "day": day, "value": pa.array([0.0] * rows)})
    message.returns_ref.CopyFrom(ref_of(tmp_path / "many.parquet", many))
    with pytest.raises(InvalidRequest, match=r"E_SNAPSHOT_FIELD: snapshot\.returns_ref is 2010000 rows"):
        taken(message, str(tmp_path))
    ids = [f"s{at}" for at in range(2_001)]
    day = pa.array([1] * len(ids), pa.date32())
    wide = pa.table({"id": ids, "day": day, "value": pa.array([0.0] * len(ids))})
    message.returns_ref.CopyFrom(ref_of(tmp_path / "wide.parquet", wide))
    with pytest.raises(InvalidRequest, match=r"E_SNAPSHOT_FIELD: snapshot\.returns_ref is 2001 ids"):
        taken(message, str(tmp_path))
    good_file = (tmp_path / "wide.parquet").read_bytes()
    torn = b"PAR1" + b"x" * 100 + good_file[104:]
    (tmp_path / "torn.parquet").write_bytes(torn)
    message.returns_ref.CopyFrom(riskpb.RiskDataRef(url="torn.parquet", hash=digest(torn), bytes=len(torn)))
    with pytest.raises(NotReady, match=r"E_REF_UNREADABLE.*no Parquet"):
        taken(message, str(tmp_path))
