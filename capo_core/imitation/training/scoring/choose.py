"""The choice of a scoring engine: tested on real data before training, not guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.prompts import Rendered
from capo_core.imitation.training.scoring.base import (
    MIN_SHARED,
    Engine,
    ScoreTable,
    check_batch,
    inner_model,
    scoring,
)
from capo_core.imitation.training.scoring.engines import (
    BOOLEAN_MASK,
    GroupEngine,
    PairsEngine,
    TreeEngine,
    attention_of,
    longest_text,
)

ENGINES = ("auto", "tree", "group", "pairs")

# Largest difference from the plain path that rounding explains, nats a token.
TOLERANCE = 1e-3
TOLERANCE_HALF = 2e-2  # bfloat16 and float16, also by autocast
MASKED = (*BOOLEAN_MASK, "eager")  # attention implementations that take any mask


@dataclass(frozen=True)
class EngineChoice:
    """The engine to use, with the reason.

    Attributes:
        asked: the engine requested.
        reason: explanation for a log or a screen.
        worst_difference_nats: largest difference of a response's log-probability between this
            engine and the plain path; 0 for the plain path itself.
    """

    engine: Engine
    asked: str
    reason: str
    worst_difference_nats: float

    @property
    def note(self) -> dict[str, Any]:
        """Return the choice for the run's record."""
        worst = self.worst_difference_nats
        return {
            "engine": self.engine.name,
            "asked": self.asked,
            "reason": self.reason,
            "worst_difference_nats": worst if math.isfinite(worst) else None,
        }


def longest_sample(batch: Sequence[Rendered]) -> Rendered:
    """Return the item to test engines on: the longest prompt among items with several responses.

    Failures on long texts only (a sliding window, rounding of positions) would not show on a
    shorter one, and an item with one response shares no prefix.

    Raises:
        DataError: there is no item.
    """
    check_batch(batch)
    most = min(2, max(len(item.responses) for item in batch))
    return max(
        (item for item in batch if len(item.responses) >= most),
        key=lambda item: longest_text([item]),
    )


def choose_engine(
    model, sample: Rendered, wish: str = "auto", *, tolerance: float | None = None
) -> EngineChoice:
    """Return the cheapest engine that agrees with the plain path on `sample`.

    Args:
        sample: an item of the data, see `longest_sample`; its four longest responses are used.
        wish: one of ENGINES.
        tolerance: nats a token; None takes TOLERANCE, or TOLERANCE_HALF for a model in half
            precision or under autocast. Give TOLERANCE_HALF for a model with its own autocast.

    Raises:
        ConfigError: an unknown engine, or an engine requested by name that disagrees.
    """
    if wish not in ENGINES:
        raise ConfigError(f"no engine is called {wish!r}", expected=", ".join(ENGINES))
    if wish == "pairs":
        return EngineChoice(PairsEngine(), wish, "asked for", 0.0)
    inner = inner_model(model)
    limit = _tolerance(inner) if tolerance is None else tolerance
    probe = _probe(sample)
    tried: list[str] = []
    with scoring(inner):
        plain = PairsEngine().score(inner, [probe], pad_id=0)
        for engine in _candidates(wish, sample):
            trouble, worst = _compare(inner, engine, probe, plain, limit)
            if not trouble:
                found = _usable(engine, inner)
                found.share_prefix = _shares(inner, found, probe, plain, limit)
                return EngineChoice(found, wish, _reason(wish, found, tried, sample, worst), worst)
            if wish == engine.name:
                raise _refusal(engine, trouble)
            tried.append(f"{engine.name} not used: {trouble}")
    return EngineChoice(PairsEngine(), wish, "; ".join([*tried, "the plain path is taken"]), 0.0)


def _probe(sample: Rendered) -> Rendered:
    """Return the prompt with two to four branches, the longest responses.

    The first branch has its usual positions in any model: a single response is therefore used
    twice, and the longest is last, farthest from its usual position.
    """
    longest = sorted(sample.responses, key=len)[-4:]
    return Rendered(sample.prompt, tuple(longest * 2 if len(longest) == 1 else longest))


def _candidates(wish: str, sample: Rendered) -> list[Engine]:
    if wish == "auto":
        shared = len(sample.responses) > 1
        return [TreeEngine(), GroupEngine()] if shared else [GroupEngine()]
    return [TreeEngine() if wish == "tree" else GroupEngine()]


def _compare(inner, engine: Engine, probe: Rendered, plain: ScoreTable, limit: float):
    """Return the objection to the engine (or nothing), and the worst difference in nats."""
    if engine.name == "tree" and attention_of(inner) not in MASKED:
        return f"{attention_of(inner)} attention takes no mask of ours", float("nan")
    if engine.name == "tree" and getattr(inner.config.get_text_config(), "window_size", None):
        return "its local attention counts places in the row, not positions", float("nan")
    try:
        table = engine.score(inner, [probe], pad_id=0)
    except torch.OutOfMemoryError:
        raise
    except _REFUSALS as error:
        return f"the model refuses its input ({type(error).__name__})", float("nan")
    apart = (table.log_probs - plain.log_probs).abs()
    worst = apart.max().item()
    if (apart / plain.tokens <= limit).all():  # NaN is not
        return "", worst
    return (
        f"it differs from the plain path by up to {worst:.3g} nats in a response of "
        f"{int(plain.tokens[apart.argmax()])} tokens (allowed: {limit:g} a token)"
        + _window_words(engine, inner, probe)
    ), worst


# What models raise that cannot read a mask or positions.
_REFUSALS = (
    TypeError,
    ValueError,
    RuntimeError,
    IndexError,
    AttributeError,
    KeyError,
    NotImplementedError,
)


def _shares(inner, engine: Engine, probe: Rendered, plain: ScoreTable, limit: float) -> bool:
    """Return whether the engine is as exact when a batch's common beginning is computed once."""
    window = sliding_window(inner.config)
    if attention_of(inner) not in MASKED or window is not None:
        return False
    sharing = type(engine)(share_prefix=True)
    # Twice the same item: all of its prompt but the last token is in common.
    if len(probe.prompt) <= MIN_SHARED:
        probe = Rendered(probe.prompt * (MIN_SHARED + 1), probe.responses)
        plain = PairsEngine().score(inner, [probe], pad_id=0)
    try:
        table = sharing.score(inner, [probe, probe], pad_id=0)
    except torch.OutOfMemoryError:
        raise
    except _REFUSALS:
        return False
    expected = torch.cat([plain.log_probs, plain.log_probs])
    apart = (table.log_probs - expected).abs() / table.tokens
    return bool((apart <= limit).all())


def _window_words(engine: Engine, inner, probe: Rendered) -> str:
    window, length = sliding_window(inner.config), longest_text([probe])
    if engine.name != "tree" or window is None or length <= window:
        return ""
    return f"; a text of {length} tokens is longer than the model's sliding window of {window}"


def sliding_window(config) -> int | None:
    """Return the length in tokens of a model's shortest sliding or chunked window, if any."""
    config = config.get_text_config()
    if getattr(config, "use_sliding_window", True) is False:
        return None
    sizes = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((size for size in sizes if size), default=None)


def _usable(engine: Engine, inner) -> Engine:
    return TreeEngine(sliding_window(inner.config)) if engine.name == "tree" else engine


def _reason(wish: str, engine: Engine, tried: list[str], sample: Rendered, worst: float) -> str:
    words = list(tried)
    if wish == "auto" and len(sample.responses) < 2:
        words.append("a prompt with one response has nothing to share")
    words.append(f"{engine.name} agrees with the plain path to {worst:.2g} nats a response")
    if engine.share_prefix:
        words.append("what all prompts of a batch begin with is computed once")
    if getattr(engine, "window", None) is not None:
        words.append(f"texts of more than {engine.window} tokens go the group way")
    return "; ".join(words)


def _refusal(engine: Engine, trouble: str) -> ConfigError:
    return ConfigError(
        f"the engine {engine.name!r} cannot be used with this model: {trouble}",
        expected="the same log-probabilities as the plain path",
        todo="choose the engine 'auto', which takes one that agrees",
    )


def _tolerance(inner) -> float:
    half = inner.dtype in (torch.float16, torch.bfloat16)
    return TOLERANCE_HALF if half or torch.is_autocast_enabled(inner.device.type) else TOLERANCE
