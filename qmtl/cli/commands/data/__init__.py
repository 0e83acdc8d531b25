"""Commands about market data: datasets, presets, coverage, conformance."""
