"""What the commands other than `segment` do."""
