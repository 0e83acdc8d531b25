"""Rows of activations, their fences and history, gate sessions and acknowledgements. Publishes nothing."""
