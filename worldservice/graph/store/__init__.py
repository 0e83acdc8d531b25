"""Rows of the World View Graph. Publishes nothing."""
