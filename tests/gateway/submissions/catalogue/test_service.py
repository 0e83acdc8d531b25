"""The node catalogue as it is served: everything, in pages of any size."""

from __future__ import annotations

import pytest

from gateway.submissions.catalogue.node_types import packaged_catalogue
from gateway.submissions.catalogue.service import NodeCatalogueServicer
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.gateway.v1 import node_catalogue_service_pb2 as nodecatalogueservicepb


@pytest.mark.parametrize("size", [0, 1, 4, 5000])
async def test_pages_hold_every_type_once(size: int) -> None:
    servicer, token = NodeCatalogueServicer(), ""
    found: list[str] = []
    while True:
        page = commonpb.PageRequest(page_size=size, page_token=token)
        reply = await servicer.ListNodeTypes(nodecatalogueservicepb.ListNodeTypesRequest(page=page), None)
        found.extend(node_type.code_hash for node_type in reply.node_types)
        assert {schema.compat_id for schema in reply.schemas} == set(packaged_catalogue().fields)
        token = reply.page.next_page_token
        if not token:
            break
    assert found == list(packaged_catalogue().types)


async def test_a_token_of_another_listing_is_refused() -> None:
    request = nodecatalogueservicepb.ListNodeTypesRequest(page=commonpb.PageRequest(page_token="bm8"))
    with pytest.raises(InvalidRequest) as refused:
        await NodeCatalogueServicer().ListNodeTypes(request, None)
    assert refused.value.reason == "E_PAGE_TOKEN"
