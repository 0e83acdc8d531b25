"""`qmtl world policy`: store a policy document, show one, list the presets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, WorldId, with_access
from qmtl.cli.show.messages import as_dict, enum_word, show_json
from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import policy_pb2 as policypb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc


@with_access
def set_policy(
    access: Access,
    world_id: WorldId,
    document: Annotated[
        Path | None, typer.Argument(help="Policy document (YAML).", exists=True, dir_okay=False)
    ] = None,
    preset: Annotated[str, typer.Option(help="Take this preset's document: see qmtl world policy presets.")] = "",
    draft: Annotated[bool, typer.Option("--draft", help="Store it without making it the default.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and tell; store nothing.")] = False,
) -> None:
    """Store a policy document, from a file or a preset, as a new version; tells whose approval to be live it ends."""
    if bool(preset) == (document is not None):
        raise InvalidRequest("E_POLICY_OPTIONS", "give either a document or --preset")
    text = document.read_text(encoding="utf-8") if document else ""

    async def call(channel: MeshChannel) -> policyservicepb.PutPolicyResponse:
        stub = policyrpc.PolicyServiceStub(channel)
        chosen = text or await _preset_document(channel, preset)
        request = policyservicepb.PutPolicyRequest(
            world_id=world_id, document=chosen, make_default=not draft, dry_run=dry_run
        )
        return await stub.PutPolicy(request)

    found = ask(access, call)
    _show_policy(found.policy, access.json)
    for name in found.ended_approvals:
        renew = f"would drain; to trade on: qmtl campaign request {world_id} {name}, then approve it"
        typer.echo(f"approval of {name} ends with its policy: it {renew if dry_run else 'drains'}", err=True)


@with_access
def presets(access: Access) -> None:
    """Print policy documents to start from, the strictest last."""

    async def call(channel: MeshChannel) -> policyservicepb.ListPolicyPresetsResponse:
        return await policyrpc.PolicyServiceStub(channel).ListPolicyPresets(policyservicepb.ListPolicyPresetsRequest())

    found = ask(access, call).presets
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    for one in found:
        typer.echo(f"# {one.name}: {one.description}\n{one.document}")


async def _preset_document(channel: MeshChannel, name: str) -> str:
    """The document of a preset. Raises NotFound (E_POLICY_PRESET_UNKNOWN) naming those there are."""
    reply = await policyrpc.PolicyServiceStub(channel).ListPolicyPresets(policyservicepb.ListPolicyPresetsRequest())
    documents = {one.name: one.document for one in reply.presets}
    if name not in documents:
        raise NotFound("E_POLICY_PRESET_UNKNOWN", f"no policy preset {name!r}; there are {', '.join(documents)}")
    return documents[name]


@with_access
def show_policy(
    access: Access,
    world_id: WorldId,
    version: Annotated[int, typer.Option(help="Version. 0: the default one.", min=0)] = 0,
) -> None:
    """Show one version of a world's policy."""

    async def call(channel: MeshChannel) -> policypb.Policy:
        request = policyservicepb.GetPolicyRequest(world_id=world_id, version=version)
        return (await policyrpc.PolicyServiceStub(channel).GetPolicy(request)).policy

    _show_policy(ask(access, call), access.json)


def _show_policy(stored: policypb.Policy, json: bool) -> None:
    if json:
        show_json(as_dict(stored))
        return
    state = enum_word(policypb.PolicyStatus, stored.status)
    typer.echo(f"# {stored.world_id} policy version {stored.version}, {state}, {stored.checksum}")
    typer.echo(stored.document.rstrip())
