"""Tests. A regular package: some installed distributions ship a package of this name too."""
