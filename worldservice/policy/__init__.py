"""Policy documents, their compiled rules and versions, and the metric catalogue. Reads no run, judges nothing."""
