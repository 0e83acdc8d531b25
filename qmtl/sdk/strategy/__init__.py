"""What an author subclasses, and what becomes of it: a checked graph and trade rules.\nSays what is wanted, never
how or where it runs.
"""
