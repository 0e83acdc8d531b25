"""Pages: sizes are coerced, foreign tokens refused, and a walk over pages sees each row once."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.struct_pb2 import ListValue
from hypothesis import example, given
from hypothesis import strategies as st

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.core.paging import PAGE_BYTES_MAX, PAGE_DEFAULT, PAGE_MAX, Page
from qmtl.wire.fields import TEXT_MAX
from qmtl.wire.paging import page_from_proto, page_of, parts_of, token_of
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb


def request(size: int = 0, token: str = "", world_id: str = "w1") -> auditservicepb.ListAuditRequest:
    page = commonpb.PageRequest(page_size=size, page_token=token)
    return auditservicepb.ListAuditRequest(world_id=world_id, page=page)


QUERY = page_from_proto(request(), (str,)).query


def token_of_row(*key: str | int) -> str:
    return token_of(Page(query=QUERY), key)


@pytest.mark.parametrize(
    ("asked", "given_size"),
    [(0, PAGE_DEFAULT), (1, 1), (PAGE_MAX, PAGE_MAX), (PAGE_MAX + 1, PAGE_MAX), (2**32 - 1, PAGE_MAX)],
)
def test_a_size_is_the_default_for_0_and_the_maximum_at_most(asked: int, given_size: int) -> None:
    assert page_from_proto(request(asked), (str,)).size == given_size


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.text("abcé/+", max_size=3)), unique=True, max_size=40),
    size=st.integers(1, 7),
)
def test_a_walk_over_pages_sees_each_row_once_in_order(rows: list[tuple[int, str]], size: int) -> None:
    table, token = sorted(rows), ""
    seen: list[tuple[int, str]] = []
    while True:
        page = page_from_proto(request(size, token), (int, str))
        left = [row for row in table if page.after is None or row > page.after]
        shown, info = page_of(left[: page.size + 1], page, lambda row: row, as_message)
        seen += [(round(row.values[0].number_value), row.values[1].string_value) for row in shown]
        token = info.next_page_token
        if not token:
            break
        assert len(shown) == size
    assert seen == table


def as_message(row: tuple[int, str]) -> ListValue:
    message = ListValue()
    message.extend(row)
    return message


@pytest.mark.parametrize(("each", "shown"), [(100, 5), (PAGE_BYTES_MAX // 4, 3), (PAGE_BYTES_MAX, 1), (2**20, 1)])
def test_a_page_ends_where_its_rows_fill_a_reply_and_has_one_at_least(each: int, shown: int) -> None:
    rows = [(number, "x" * each) for number in range(9)]
    page = page_from_proto(request(5), (int,))
    found, info = page_of(rows, page, lambda row: (row[0],), as_message)
    assert [round(row.values[0].number_value) for row in found] == list(range(shown))
    assert page_from_proto(request(5, info.next_page_token), (int,)).after == (shown - 1,)


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [([], [[]]), ([1, 1], [[1, 1]]), ([500, 500, 200], [[500], [500, 200]]), ([900, 100], [[900], [100]])],
)
def test_messages_are_cut_where_a_reply_is_full(sizes: list[int], parts: list[list[int]]) -> None:
    messages = [as_message((0, "x" * size * 1024)) for size in sizes]
    found = list(parts_of(messages))
    assert [[len(row.values[1].string_value) // 1024 for row in part] for part, _ in found] == parts
    assert [more for _, more in found] == [True] * (len(parts) - 1) + [False]


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def of_query(key: str) -> str:
    return encoded(f'["{QUERY}",{key}]')


@pytest.mark.parametrize(
    "token",
    [
        *("é", "9223372036854775808", "9" * 4301, "%%%", encoded("{}"), encoded("[]"), encoded('[1,"a",2]')),
        *(of_query('Infinity,"x"'), of_query('9223372036854775808,"x"'), of_query('"x",1'), of_query('true,"x"')),
        *(of_query('1,"\\ud800"'), of_query('1,"\\u0000"'), encoded('[1,"x"]'), encoded('[7,1,"x"]')),
        *(encoded("[" * 1000), token_of_row(1, "x") + "A", token_of(Page(), (1, "x"))),
    ],
)
def test_a_foreign_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        page_from_proto(request(token=token), (int, str))
    assert caught.value.reason == "E_PAGE_TOKEN"
    assert caught.value.violations[0].field == "page.page_token"


@pytest.mark.parametrize("character", ["a", "é", "漢", "😀"])
def test_the_key_of_a_text_of_any_script_is_a_token_that_is_taken(character: str) -> None:
    key = (character * TEXT_MAX,)
    assert page_from_proto(request(token=token_of_row(*key)), (str,)).after == key


def test_a_token_is_of_one_rpc_and_its_filters_and_of_any_size() -> None:
    token = token_of_row("a")
    assert page_from_proto(request(7, token), (str,)).after == ("a",)
    page = commonpb.PageRequest(page_token=token)
    for other in (
        request(token=token, world_id="w2"),
        request(token=token, world_id=""),
        accessservicepb.ListGrantsRequest(world_id="w1", page=page),
    ):
        with pytest.raises(InvalidRequest) as caught:
            page_from_proto(other, (str,))
        assert caught.value.reason == "E_PAGE_TOKEN"


def test_a_request_without_a_page_is_the_same_query_and_stays_as_it_is() -> None:
    bare = auditservicepb.ListAuditRequest(world_id="w1")
    assert page_from_proto(bare, (str,)).query == QUERY
    assert not bare.HasField("page")


@given(token=st.text(max_size=60))
@example(token=encoded('[1e999,"x"]'))
def test_any_text_is_a_token_or_refused(token: str) -> None:
    try:
        after = page_from_proto(request(token=token), (int, str)).after
    except InvalidRequest as error:
        refused_with = error.reason
    else:
        refused_with = "" if after is None or [type(part) for part in after] == [int, str] else "a wrong key"
    assert refused_with in ("", "E_PAGE_TOKEN")
