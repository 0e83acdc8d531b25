"""Proposals of shares from a covariance of daily returns. Uses no expected returns and stores nothing."""
