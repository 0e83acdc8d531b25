"""Whether a project still keeps the rules of its layers: every finding at once, found in a process of its own."""
