"""Channels to other services: deadlines, tokens, retries and errors of outgoing calls."""
