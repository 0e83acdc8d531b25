"""What an author subclasses, and what becomes of it: a checked graph and trade rules.
Says what is wanted, never how or where it runs.
"""
