"""Policy documents as compiled rules. A rule that is not enforced is refused, never accepted and ignored."""
