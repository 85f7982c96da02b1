"""What people do: each act one transaction in the records."""
