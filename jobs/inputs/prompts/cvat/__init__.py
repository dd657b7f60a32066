"""Prompts as CVAT's XML, of images and of videos.

Stands on `names`, `images` and `annotations`. Only `kinds` imports it.
"""
