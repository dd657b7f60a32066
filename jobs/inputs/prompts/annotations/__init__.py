"""Prompts as JSON annotations: COCO, YouTube-VIS, SA-V and BURST, and what their records have in common.

Stands on `names` and `images`. `cvat` and `arrays` import its checks of single values.
"""
