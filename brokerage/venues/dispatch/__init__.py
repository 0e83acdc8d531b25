"""From a written intent to the venue and its answer, once for all venues."""
