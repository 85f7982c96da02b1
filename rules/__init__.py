"""Alarms, alerts, tickets, notification."""
