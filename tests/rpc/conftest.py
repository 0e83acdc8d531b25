from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.telemetry import traces
from tests.rpc.mesh import Mesh, running_mesh


@pytest.fixture
def home(tmp_path: Path) -> Path:
    ensure_dev_keys(tmp_path)
    return tmp_path


@pytest.fixture
async def mesh(home: Path) -> AsyncIterator[Mesh]:
    async with running_mesh(home) as mesh:
        yield mesh


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    """OpenTelemetry's provider is set once per process."""
    exporter = InMemorySpanExporter()
    recording = traces.configure("test", "", recorded=True)
    assert recording is not None
    recording.provider.add_span_processor(SimpleSpanProcessor(exporter))
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()
