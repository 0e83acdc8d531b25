"""Datasets and presets as people list them: reads what the other subjects keep and changes nothing."""
