"""One video from files to rows of masks. Knows nothing of Ray or storage."""
