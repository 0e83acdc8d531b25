"""The one Alembic environment that runs every service's revisions; executed by path, never imported."""
