"""Datasets of other seamless services: what they sealed, compared by its fingerprints and sealed here alike."""
