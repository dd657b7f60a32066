"""Selection of the masks worth training on: criteria, judging, ranking, and the report.

Stands on `outputs`. Only `cli` and `commands` import it.
"""
