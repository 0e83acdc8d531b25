"""Datasets and presets as people list them.\nReads what the other subjects keep and changes nothing."""
