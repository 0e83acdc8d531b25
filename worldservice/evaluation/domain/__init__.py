"""The decision pipeline: pure, total, every verdict explained. Never decides higher than the facts show."""
