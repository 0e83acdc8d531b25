"""Tests of the commands about the mesh itself."""
