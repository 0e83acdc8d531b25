"""Tests of the local mesh and its supervisor."""
