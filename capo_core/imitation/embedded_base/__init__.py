"""The embedded base model: a small language model, pre-trained here on simulated annotators.

config.py      settings of the build
corpus.py      vocabulary, simulated annotators and items, prompts, batches
network.py     the architecture, and a forward pass that shares a common prefix
build.py       training with checkpoints, validation, the model's folder
quality.py     evaluation on held-out simulated annotators
model_card.py  the model card
"""
