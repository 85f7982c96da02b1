"""Why an alarm rang, why it did not, who was told of it, and what happens next."""
