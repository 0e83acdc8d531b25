"""Tests of the commands about one world."""
