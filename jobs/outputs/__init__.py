"""What a run writes, and the log that says what counts."""
