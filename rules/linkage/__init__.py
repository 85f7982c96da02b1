"""Checked fire linkage: did what the panel had to start happen, and in time? It observes only, it never commands."""
