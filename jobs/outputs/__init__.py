"""What is written, and the log that says what counts; reading masks back."""
