"""Tests of the commands. A package, so that the mesh they share ends with the last of them."""
