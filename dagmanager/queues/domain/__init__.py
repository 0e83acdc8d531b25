"""What a queue is: class, retention, label, tag queries, recompute. Pure."""
