"""Commands about orders and what they led to: fills, positions, cash."""
