"""The embedded base: a small language model pre-trained by this project on simulated annotators.

world.py      annotators and items of the pre-training, none of them the demo's
samples.py    prompts of every format with their responses
batches.py    samples as tokens, a few rows at a time, drawn anew for every step
tokenizer.py  the vocabulary, learned from such samples or from any text
network.py    the architecture, and a forward pass that shares a common beginning
loop.py       optimiser, schedule, steps, checkpoints
build.py      everything in order, to a folder any causal-LM code can load
card.py       the model card
quality.py    what the base can do on held-out simulated annotators
"""
