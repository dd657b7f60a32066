"""Masks of an output in the formats of others: one module a format, over one walk through the masks."""
