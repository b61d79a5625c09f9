"""Simulated annotators: the items they read, the labels they give, the manner they write in.

`capo_core.simulation.simulate.simulate` is the way in; the modules here hold one part each: chance
(draws), the grammar that explanations grow from, the vocabulary, items of both tasks, annotator
specifications, labels, and what was planted.
"""
