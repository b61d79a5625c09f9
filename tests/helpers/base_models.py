"""A base small enough to be built in a second."""

from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig

TINY = EmbeddedBaseConfig(
    steps=6,
    step_tokens=256,
    annotators=20,
    hidden=32,
    layers=2,
    heads=2,
    intermediate=48,
    vocabulary=600,
    tokenizer_samples=60,
    validation_rows=2,
    log_every=2,
    checkpoint_every=2,
    warmup_steps=2,
    threads=1,
)
