"""Presets of datasets that other seamless services have: available once those have said what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qmtl.calendars.calendars import AlwaysOpen
from seamless.config import RemoteSettings
from seamless.domain.conformance.policies import TOLERANT
from seamless.domain.datasets import parse_dataset
from seamless.domain.sla import TOLERANT_PARTIAL
from seamless.presets.preset import Preset


def remote_presets(remotes: Mapping[str, RemoteSettings]) -> Iterator[Preset]:
    """A preset for each feed of the settings. Raises InvalidRequest (E_DATASET_NAME, E_INTERVAL)."""
    for remote, settings in remotes.items():
        for key, feed in settings.feeds.items():
            dataset = parse_dataset(feed.dataset)
            yield Preset(
                name=f"remote.{remote}.{key}",
                dataset=dataset,
                description=f"{dataset.symbol} from seamless {remote}",
                policy=TOLERANT,  # of rows that were judged there; a gap between two ranges refuses nothing
                calendar=AlwaysOpen(),
                sla=TOLERANT_PARTIAL,
                replay=True,
                source=None,
                detail=f"seamless {remote} has not said what it is yet",
                held_back=0,  # what is not settled is not sealed there
            )
