"""The model card of the embedded base model: description, training, limitations, figures."""

from __future__ import annotations

import json
from pathlib import Path

from capo_core.errors import DataError
from capo_core.workspace import atomic_file, write_json

_HEAD = """---
library_name: transformers
pipeline_tag: text-generation
tags: [simulated-data]
---

# {title}

{what}

- Architecture: Llama, {parameters:.1f} million parameters ({layers} layers, hidden size {hidden},
  {heads} heads, byte-level BPE vocabulary of at most {vocabulary}, tied embeddings, up to
  {positions} tokens). Weights are stored in half precision and read as single.
- Weights: `model.safetensors`, SHA-256 `{sha256}`

## Training

    {command}

Seed {seed}; {steps:,} steps, {tokens:,} tokens in {minutes:.0f} minutes on {threads} CPU threads
({tokens_per_s:,} tokens per second). Every step draws its texts from seed and step, so an
interrupted command resumes and gives the same weights. All settings are in `build.json`.

{data}

## Figures

{figures}
## Limitations

{limits}
"""
_SIMULATED = """\
Training data: {annotators:,} annotators simulated by this project (`capo_core/simulation`), on
simulated items of both tasks, in every prompt format of `capo_core/imitation/prompting/prompts.py`.
It contains no text by a person, no annotator of the shipped demo, and no item with a text of the
demo; tests verify this."""
_LIMITS = """\
It is made for the demo data that ships with it: short English sentences and answers of the kind
that the simulator generates. It has no knowledge of the world and follows no other instructions;
its answers to items of real datasets are not meaningful. For real data use a general-purpose
model.

Its labels of paraphrase items are at the level of chance (see the column `label right`; the scale
has eleven values). Examples and value profiles in the prompt do not measurably change in whose
manner it writes; fine-tuning does. Whether a larger model or another corpus would change either was
not measured."""
_CORPUS_LIMITS = """\
It was trained on one small corpus, and has no knowledge beyond that text. It follows no
instructions other than those the text contains."""


def write_card(folder: Path, about: dict) -> None:
    """Write `folder/README.md` from the contents of `build.json`."""
    config, corpus = about["config"], about["corpus"]
    data = [_SIMULATED.format(annotators=config["annotators"])] if about["with_tasks"] else []
    if corpus:
        data.append(f"Training text: `{corpus['name']}`, {corpus['texts']:,} texts.")
    card = _HEAD.format(
        title="Base model built from a corpus" if corpus else "Embedded base model of CAPO Lab",
        what=(
            "A small language model pre-trained on one corpus by CAPO Lab."
            if corpus
            else "A small language model that labels and explains items as an annotator might: the "
            "base model\nfor prompting, SFT and CAPO on the shipped demo, in minutes on a CPU and "
            "without a hub."
        ),
        parameters=about["parameters"] / 1e6,
        sha256=about["sha256"],
        command=command(about),
        minutes=about["seconds"] / 60,
        tokens=about["tokens"],
        tokens_per_s=about["tokens_per_s"],
        data="\n\n".join(data),
        figures=_figures(about),
        limits=_CORPUS_LIMITS if corpus else _LIMITS,
        **{
            key: config[key]
            for key in (
                "layers", "hidden", "heads", "vocabulary", "positions", "seed", "steps", "threads"
            )
        },
    )  # fmt: skip
    with atomic_file(folder / "README.md", "w") as file:
        file.write(card)


def command(about: dict) -> str:
    """Return the command that builds this base model."""
    words = "python -m capo_core base build"
    if about["corpus"]:
        words += f" --corpus {about['corpus']['name']} --out FOLDER"
        words += " --with-tasks" if about["with_tasks"] else ""
    return f"{words} --seed {about['config']['seed']} --steps {about['config']['steps']}"


def read_about(folder: Path) -> dict:
    """Return the contents of a base model's `build.json`.

    Raises:
        DataError: there is no base of this project in the folder.
    """
    path = folder / "build.json"
    if not path.is_file():
        raise DataError(
            "there is no base built by this project",
            where=str(folder),
            todo="build one: python -m capo_core base build --out FOLDER",
        )
    return json.loads(path.read_text(encoding="utf-8"))


def add_quality(folder: Path, quality: dict) -> None:
    """Put measured figures (see `quality.measure`) into `build.json` and the card."""
    about = read_about(folder) | {"quality": quality}
    write_json(folder / "build.json", about)
    write_card(folder, about)


def figure_rows(about: dict) -> list[tuple[str, str, str, str]]:
    """Return rows of format, task, nats per token, nats of the label ("" if there is none)."""
    return [
        (kind, task, f"{loss['token']:.3f}", f"{loss['label']:.3f}" if "label" in loss else "")
        for kind, tasks in about["validation"].items()
        for task, loss in tasks.items()
    ]


def quality_rows(about: dict) -> list[tuple[str, ...]]:
    """Return the rows of the quality table: format, task, decoding, and the figures of
    `quality.measure`.
    """
    return [
        (
            row["format"], row["task"], f"{row['temperature']:g}", str(row["n"]),
            f"{row['parsed']:.3f}", f"{row['agreement']:.2f}", f"{row['ceiling']:.2f}",
            f"{row['error']:.2f}" if row["error"] is not None else "",
            f"{row['words']:.1f}", f"{row['from_item']:.2f}",
        )
        for row in about.get("quality", {}).get("rows", ())
    ]  # fmt: skip


QUALITY_HEADINGS = (
    "format", "task", "temperature", "answers", "well-formed", "label right", "at best",
    "mean error", "words", "words from the item",
)  # fmt: skip
LOSS_HEADINGS = ("format", "task", "nats a token", "nats a label")


def _figures(about: dict) -> str:
    text = "Loss of the answers on annotators and items held out, after the last step:\n\n"
    text += _table(LOSS_HEADINGS, figure_rows(about))
    rows = quality_rows(about)
    if rows:
        text += (
            "\nAnswers written for such items, by `python -m capo_core base measure` "
            "(temperature 0:\nthe likeliest token each time). `label right`: equal to the "
            "annotator's; `at best`: what the label\nthat most people would give reaches; "
            "`mean error`: points of the scale.\n\n"
        )
        text += _table(QUALITY_HEADINGS, rows)
    return text


def _table(headings, rows) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
