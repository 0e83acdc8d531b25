"""Tests of the CLI's texts."""
