"""The section `risk` of a policy: freshness, limits, exit rules."""
