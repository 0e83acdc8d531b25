"""Named bundles of reality models."""
