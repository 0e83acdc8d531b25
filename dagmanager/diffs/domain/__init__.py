"""Decides a diff and cuts its answer into chunks. Pure."""
