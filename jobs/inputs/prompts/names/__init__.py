"""Names of mask files: the frame and the object that each name gives, by one reading for a whole folder.

Imports nothing of the other folders of prompts, which may all import it.
"""
