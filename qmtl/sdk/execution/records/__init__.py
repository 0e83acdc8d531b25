"""What a run leaves in columns: fills, orders and equity, made into single values only where somebody looks at one."""
