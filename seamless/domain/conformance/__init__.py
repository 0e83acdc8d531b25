"""Conformance of delivered bars: the rules in their order, the policies that refuse, the report.

No rule invents a bar.
"""
