"""What is an exercise, and what protects the building and is out of action; and what either is about."""
