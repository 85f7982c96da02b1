"""Readings into a store, confirmed end to end."""
