"""Tests of loading strategies from files."""
