"""Masks as people have them -> the prompts of a video. docs/PROMPTS.md describes every kind."""
