"""The records database: what a transaction changes, worked out first and then written."""
