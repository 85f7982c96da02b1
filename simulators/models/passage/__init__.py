"""Lifts and doors, and the people who pass through them."""
