"""What books say of the past: daily profits of strategies, and what a world or an account holds. No risk numbers."""
