"""Risk numbers as pure functions: shared days, covariance, value at risk, stress, reports, tests of forecasts."""
