"""Checks what people read: sentence length and phrases that plain English does without.

`make lint` runs it over Markdown, docstrings, comments, messages and descriptions. Spelling is
codespell's. `passages` finds the text of a file, `rules` judges it.
"""
