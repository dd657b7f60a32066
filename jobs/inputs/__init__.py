"""What is to be segmented: manifest, videos, prompts, models."""
