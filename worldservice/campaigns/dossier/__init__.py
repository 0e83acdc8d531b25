"""Dossiers: all that led a strategy to where it stood at an instant, as sentences of what is never changed."""
