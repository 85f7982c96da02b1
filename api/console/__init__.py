"""The built-in console: wall, alarms, tickets, one page per asset."""
