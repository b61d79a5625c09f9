"""One output as a line of outputs.jsonl, and what came of a generation in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from capo_core.dataset import Dataset
from capo_core.imitation.asking import Asked
from capo_core.imitation.backends.base import Reply
from capo_core.imitation.generate_config import GenerateConfig
from capo_core.imitation.parse import parse_response


def row_of(
    dataset: Dataset, asked: Asked, reply: Reply, config: GenerateConfig, run: str
) -> dict[str, Any]:
    """One line of outputs.jsonl."""
    # Half a surrogate pair, which a server's JSON may hold, cannot be written to a file.
    text = reply.text.encode("utf-8", "replace").decode("utf-8")
    parsed = parse_response(text, dataset.task) if reply.finish != "error" else None
    problem = reply.error if parsed is None else parsed.problem
    row = {
        "output_id": asked.request.key,
        "run_id": run,
        "method": config.method,
        "target_annotator_id": asked.target,
        "item_id": asked.item_id,
        "sample": str(asked.sample),
        "label": parsed.label if parsed else "",
        "explanation": parsed.explanation if parsed else "",
        "raw_text": text,
        "parsed": "false" if problem else "true",
        "problem": problem,
        "prompt_tokens": reply.prompt_tokens,
        "output_tokens": reply.output_tokens,
        "finish": reply.finish,
    }
    return {**row, "examples": asked.examples} if config.method == "icl" else row


def summary(rows: Sequence[Mapping[str, Any]], config: GenerateConfig) -> dict[str, Any]:
    """What came of a generation, in counts.

    Returns:
        outputs, parsed, problems (by kind), cut (answers that reached `max_new_tokens`),
        not_answered (by the model's limits or the server's refusal), prompt_tokens,
        output_tokens; for icl `examples_shown`: how many prompts show how many examples.
    """
    counts = {
        "outputs": len(rows),
        "parsed": sum(row["parsed"] == "true" for row in rows),
        "problems": dict(Counter(row["problem"] for row in rows if row["problem"]).most_common()),
        "cut": sum(row["finish"] == "length" for row in rows),
        "not_answered": sum(row["finish"] == "error" for row in rows),
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "output_tokens": sum(row["output_tokens"] for row in rows),
    }
    if config.method == "icl":
        shown = Counter(row["examples"] for row in rows)
        counts["examples_shown"] = {str(n): shown[n] for n in sorted(shown, reverse=True)}
    return counts
