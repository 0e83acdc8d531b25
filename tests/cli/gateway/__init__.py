"""Tests of the CLI's calls to the gateway."""
