"""Checks what people read: sentence length and phrases to avoid.

`make lint` runs it over Markdown, docstrings, comments, messages and descriptions. Spelling is
codespell's. `passages` finds the text of a file, `rules` judges it.
"""
