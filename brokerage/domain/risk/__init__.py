"""The pre-trade check: limits, fences and rules with named refusals. Changes nothing."""
