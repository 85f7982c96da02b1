"""Who is told of what: folding, floods, repeats, and the words."""
