"""Recorded tables played as live devices."""
