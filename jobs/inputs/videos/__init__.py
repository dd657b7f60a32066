"""Video files and folders of images as streams of upright RGB frames, forward and backward.

Stands on `inputs.limits`. Everything that may import `inputs` may import it.
"""
