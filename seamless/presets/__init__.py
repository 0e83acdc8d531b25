"""Presets: names for assemblies of source, conformance, calendar and demanded coverage.\nOpens nothing and reads
no data.
"""
