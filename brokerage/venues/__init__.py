"""Venues and the way orders take to them."""
