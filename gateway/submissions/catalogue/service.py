"""NodeCatalogueService: the packaged node types, page by page."""

from __future__ import annotations

from google.protobuf import json_format

from gateway.submissions.catalogue.node_types import catalogue_text
from qmtl.gateway.v1 import node_catalogue_service_pb2 as nodecatalogueservicepb
from qmtl.gateway.v1 import node_catalogue_service_pb2_grpc as nodecataloguerpc
from qmtl.wire.paging import page_from_proto, page_of


class NodeCatalogueServicer(nodecataloguerpc.NodeCatalogueServiceServicer):
    """Answers from the catalogue of this build."""

    def __init__(self) -> None:
        self._whole = json_format.Parse(catalogue_text(), nodecatalogueservicepb.ListNodeTypesResponse())

    async def ListNodeTypes(
        self, request: nodecatalogueservicepb.ListNodeTypesRequest, context: object
    ) -> nodecatalogueservicepb.ListNodeTypesResponse:
        page = page_from_proto(request, (int,))
        first = page.after[0] + 1 if page.after is not None else 0
        rows = list(enumerate(self._whole.node_types))[max(0, first) :]
        shown, info = page_of(rows, page, lambda row: (row[0],), lambda row: row[1])
        return nodecatalogueservicepb.ListNodeTypesResponse(node_types=shown, schemas=self._whole.schemas, page=info)
