"""Outputs of shared nodes read from their queues, or computed and published under a producer lease."""
