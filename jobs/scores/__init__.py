"""Scores of masks against the truth: rules, truth trees, one video's scores, tables, and what is told of them."""
