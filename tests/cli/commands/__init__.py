"""Tests of the commands, against one real mesh."""
