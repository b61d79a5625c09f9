"""Tokens that CAPO makes less likely: label, input's words, function words, other words, the end.

    CAPO_WORKSPACE=… python benchmarks/which_tokens.py RUN [RUN …] --out which_tokens.json

Each RUN is a CAPO training that began with an SFT adapter. People's validation responses are scored
under both adapters, teacher-forced: log p(token | item, label, tokens before). What is reported is
the change from SFT to CAPO (at full strength), in nats, for the target's own responses (chosen) and
for other annotators' (rejected), apart for those with the target's label and those with another:
by kind of token, a token's mean and a response's sum, with n. Kinds of an explanation's tokens are
those of the word that a token belongs to: of the item's own words, function words of English, other
words, marks and numbers, the end.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from measuring import machine

from capo_core.data.catalog import Catalog
from capo_core.imitation.models.adapter_strength import Blend
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.training.config import CapoConfig
from capo_core.imitation.training.examples import TokenLimits, capo_examples
from capo_core.imitation.training.scoring.base import scoring
from capo_core.imitation.training.scoring.engines import GroupEngine
from capo_core.run_folder import RunFolder
from capo_core.text.lexicons import FUNCTION_WORDS
from capo_core.text.tokens import normalise
from capo_core.workspace import Workspace

KINDS = ("label", "input's words", "function words", "other words", "marks", "end")


def token_kinds(ids, head: int, tokenizer, input_words: set[str]) -> list[str]:
    """The kind of each token of a response."""
    pieces = [tokenizer.decode([token]) for token in ids]
    spans, text = [], ""
    for piece in pieces:
        spans.append((len(text), len(text) + len(piece)))
        text += piece
    words = [(m.start(), m.end(), m[0].lower()) for m in re.finditer(r"\w+(?:['’]\w+)*", text)]
    found = []
    for n, (start, end) in enumerate(spans):
        if n < head:
            found.append("label")
        elif n == len(spans) - 1:
            found.append("end")
        else:
            word = next((w for a, b, w in words if a < end and start < b), "")
            if not re.search("[^\\W\\d]", word):
                found.append("marks")
            elif word in FUNCTION_WORDS:
                found.append("function words")
            else:
                found.append("input's words" if word in input_words else "other words")
    return found


def by_token(base, renders) -> list[list[np.ndarray]]:
    """Log-probabilities of each token of each response of each item."""
    engine, found = GroupEngine(), []
    with scoring(base.model), torch.no_grad():
        for item in renders:
            layout = engine.layout([item], base.pad_id).to(base.model.device)
            values = engine.token_log_probs(base.model, layout).float().cpu().numpy()
            owner, place = layout.owner.cpu().numpy(), layout.place.cpu().numpy()
            rows = []
            for number, response in enumerate(item.responses):
                row = np.full(len(response), np.nan)
                mine = owner == number
                row[place[mine]] = values[mine]
                rows.append(row)
            found.append(rows)
    return found


def measure(run: RunFolder, workspace: Workspace) -> dict:
    """Changes of one training."""
    config = run.config
    sft = RunFolder(workspace.runs / config["sft"]["run"])
    dataset = Catalog(workspace).load(config["dataset"]["name"])
    base = load_base_model(config["base"]["name"])
    target = config["target"]
    full = run.path / "adapter-full"
    blend = Blend(base, {"sft": sft.path / "adapter",
                         "capo": full if full.is_dir() else run.path / "adapter"})  # fmt: skip
    limits = TokenLimits(base.tokenizer, 512, False)
    examples = capo_examples(dataset, [target], CapoConfig(), limits, split="validation")
    contrasts = examples.contrasts
    renders = [each.rendered for each in contrasts]
    values = {}
    for name in ("sft", "capo"):
        blend.set({name: 1.0})
        values[name] = by_token(base, renders)
    sums = defaultdict(list)
    tokens = defaultdict(list)
    for n, each in enumerate(contrasts):
        item = each.rendered
        words = set(re.findall(r"\w+", normalise(base.tokenizer.decode(item.prompt)).lower()))
        heads = item.heads or (0,) * len(item.responses)
        own = {tuple(item.responses[c][: heads[c]]) for c in each.chosen}
        for r, response in enumerate(item.responses):
            group = "chosen" if r in each.chosen else (
                "rejected, same label" if tuple(response[: heads[r]]) in own
                else "rejected, other label")  # fmt: skip
            change = values["capo"][n][r] - values["sft"][n][r]
            kinds = np.array(token_kinds(response, heads[r], base.tokenizer, words))
            for kind in KINDS:
                if (kinds == kind).any():
                    tokens[group, kind].extend(change[kinds == kind])
                sums[group, kind].append(float(change[kinds == kind].sum()))
            sums[group, "all"].append(float(change.sum()))
    rows = []
    for (group, kind), found in sums.items():
        found = np.array(found)
        rows.append({
            "group": group, "kind": kind, "responses": len(found),
            "sum": round(float(found.mean()), 3),
            "sum_se": round(float(found.std(ddof=1) / len(found) ** 0.5), 3),
            "tokens": len(tokens.get((group, kind), ())),
            "token_mean": round(float(np.mean(tokens[group, kind])), 3)
            if tokens.get((group, kind)) else None,
        })  # fmt: skip
    return {"run": run.path.name, "target": target, "contrast": config["settings"].get("contrast"),
            "items": len(contrasts), "rows": rows}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    workspace = Workspace.default()
    found = {"machine": machine(),
             "runs": [measure(RunFolder(workspace.runs / name), workspace)
                      for name in args.runs]}  # fmt: skip
    text = json.dumps(found, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
