"""From targets to orders and fills: one decision logic, run against a simulated account or a venue.
Knows no gateway and no contract.
"""
