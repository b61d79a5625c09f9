"""Simulated annotators: items, labels and explanations with a known ground truth.

Start with `capo_core.simulation.simulate.simulate`. The other modules hold one part each: the
grammar of explanations and its rules of style, items of both tasks, annotator specifications,
labelling and writing, the ground truth. `vocabulary/` holds the word lists as JSON.
"""
