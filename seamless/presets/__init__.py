"""Presets: names for assemblies of source, conformance, calendar and demanded coverage. Reads no data."""
