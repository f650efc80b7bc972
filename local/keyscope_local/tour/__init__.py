"""Fills and shows a running stack: seeded keys, sample events and the tour.

May import the other rooms of `local`. Start with `visits`.
"""
