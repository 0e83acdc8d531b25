"""Market data beside its floors: storage in process, fetches over gRPC, backfill under an exchange's limits."""
