"""One video from local files to rows of masks. Knows neither Ray nor storage.

`planning`, `actors` and `commands.bench` may import it.
"""
