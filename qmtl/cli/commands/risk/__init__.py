"""Commands about risk: reports, candidates, stress, tests of forecasts, breaches, limits of accounts."""
