"""Replies as text: tables, JSON, one line per event, drawings. Asks nobody and decides nothing."""
