"""`qmtl data members`: who is a member when, and at one instant."""

from qmtl.cli.commands.data.presets import member_rows, members_at
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire.instants import ns_to_proto

FOUND = [
    datasetspb.Membership(symbol="LEH", ticker="LEH", end_time=ns_to_proto(10**9)),
    datasetspb.Membership(symbol="META", ticker="FB", start_time=ns_to_proto(10**9), end_time=ns_to_proto(2 * 10**9)),
    datasetspb.Membership(symbol="META", ticker="META", start_time=ns_to_proto(2 * 10**9)),
]


def test_members_of_an_instant_and_their_rows() -> None:
    at = {seconds: [one.ticker for one in members_at(FOUND, seconds * 10**9)] for seconds in range(3)}
    assert at == {0: ["LEH"], 1: ["FB"], 2: ["META"]}
    assert member_rows(members_at(FOUND, None)) == [
        ("LEH", "LEH", "its first bar", "1970-01-01T00:00:01Z"),
        ("META", "FB", "1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"),
        ("META", "META", "1970-01-01T00:00:02Z", "still"),
    ]
