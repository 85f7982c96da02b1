"""Alembic migrations of the records database; rules.database runs them at every start."""
