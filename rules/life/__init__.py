"""The lives of an alarm, a ticket and a command as tables, and the rows that the records give out."""
