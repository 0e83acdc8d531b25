"""Strategies of authors in files: find the file and the class in it. Runs nothing."""
