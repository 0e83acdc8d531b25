"""Identity and limits of vertices."""

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import CacheView, Late, Node, StreamInput, TagQuery, node, signals
from qmtl.sdk import indicators as ta


def test_same_spec_same_id_whatever_the_name() -> None:
    one, two = StreamInput("BTC-USD", name="a", tags=["x"]), StreamInput("BTC-USD", name="b")
    assert one.node_id == two.node_id
    assert ta.ema(one, 12).node_id == ta.ema(two, 12, name="fast").node_id


def test_every_functional_difference_changes_the_id() -> None:
    price = StreamInput("BTC-USD")
    others = [
        StreamInput("ETH-USD"),
        StreamInput("BTC-USD", interval="1h"),
        StreamInput("BTC-USD", period=97),
        StreamInput("BTC-USD", allowed_lateness="30s"),
        StreamInput("BTC-USD", allowed_lateness="30s", late=Late.SIDE_OUTPUT),
        ta.ema(price, 12),
        ta.ema(price, 13),
        ta.sma(price, 12),
        ta.ema(price, 12, field="open"),
    ]
    assert len({price.node_id, *(other.node_id for other in others)}) == len(others) + 1


def test_order_of_inputs_is_part_of_the_id() -> None:
    price = StreamInput("BTC-USD")
    fast, slow = ta.ema(price, 3), ta.ema(price, 9)
    assert signals.cross(fast, slow).node_id != signals.cross(slow, fast).node_id
    assert spread(a=fast, b=slow).node_id != spread(a=slow, b=fast).node_id


@node(period=2)
def spread(view: CacheView) -> float:
    return view["a"].latest - view["b"].latest


def test_code_is_the_identity_of_a_custom_node() -> None:
    price = StreamInput("BTC-USD")
    same = Node({"a": price}, lambda view: view["a"].latest * 2.0)
    other = Node({"a": price}, lambda view: view["a"].latest * 3.0)
    assert same.node_id != other.node_id
    assert Node(price, print_nothing, code_version="7").spec.code_hash == "ver:7"


def print_nothing(view: CacheView) -> None:
    """Makes no value."""


def test_uncapturable_closure_is_refused_unless_versioned() -> None:
    secret = object()

    def compute(view: CacheView) -> float:
        return view[0].latest if secret else 0.0

    with pytest.raises(InvalidRequest, match="secret"):
        Node(StreamInput("BTC-USD"), compute)
    assert Node(StreamInput("BTC-USD"), compute, code_version="1").node_id


def test_tag_query_has_normal_tags_and_no_dependencies() -> None:
    query = TagQuery(["b", " a", "b"], "1h", "all")
    assert query.spec.dependencies == ()
    assert query.node_id == TagQuery(["a", "b"], "1h", "all").node_id
    assert query.node_id != TagQuery(["a", "b"], "1h").node_id


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: StreamInput(" "), "E_SYMBOL"),
        (lambda: StreamInput("BTC-USD", interval="8d"), "E_INTERVAL"),
        (lambda: StreamInput("BTC-USD", period=0), "E_PERIOD"),
        (lambda: StreamInput("BTC-USD", tags=["a b"]), "E_TAG"),
        (lambda: TagQuery([], "1h"), "E_TAG"),
        (lambda: Node([], print_nothing), "E_INPUTS"),
        (lambda: spread(StreamInput("A"), b=StreamInput("B")), "E_INPUTS"),
        (lambda: ta.ema(StreamInput("A"), 0), "E_NODE_PARAMETER"),
        (lambda: ta.ema(StreamInput("A"), 3, field="vwap"), "E_FIELD_UNKNOWN"),
        (lambda: ta.atr(ta.ema(StreamInput("A"), 3)), "E_INPUT_SCHEMA"),
        (lambda: ta.zscore(StreamInput("A"), True), "E_NODE_PARAMETER"),
        (lambda: ta.sma(StreamInput("A"), 10**400), "E_NODE_PARAMETER"),
        (lambda: ta.macd(StreamInput("A"), 26, 12), "E_NODE_PARAMETER"),
        (lambda: ta.rolling_vol(StreamInput("A"), 1), "E_NODE_PARAMETER"),
        (lambda: signals.threshold(StreamInput("A"), above=float("nan"), below=0.0), "E_NODE_PARAMETER"),
        (lambda: signals.position_target(StreamInput("A"), long=float("inf")), "E_NODE_PARAMETER"),
    ],
)
def test_bad_vertices_are_refused(build: object, reason: str) -> None:
    assert callable(build)
    with pytest.raises(InvalidRequest) as refused:
        build()
    assert refused.value.reason == reason


def test_a_tag_query_matches_any_tag_or_all() -> None:
    with pytest.raises(InvalidRequest, match="E_TAG_MATCH"):
        TagQuery(["a"], "15m", "some")  # type: ignore[arg-type]  # the case
