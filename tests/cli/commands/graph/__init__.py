"""Tests of the commands about the global graph."""
