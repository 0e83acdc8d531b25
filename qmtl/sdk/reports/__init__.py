"""Results of runs for people: tables, JSON documents and pictures. Computes no metric."""
