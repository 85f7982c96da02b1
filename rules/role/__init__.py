"""The rules role at work: readings in, judgements written, messages out, and what time alone does."""
