"""One answer of a generation in full: the prompt as the model read it, what it wrote, the tokens.

Prompts are not stored: they are built again from the run's settings, by the code that asked the
model. The number of tokens recorded with the answer says whether the prompt is the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from capo_core.dataset import Dataset
from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.imitation.backends.base import Backend, Decoding
from capo_core.imitation.generation.outputs import OutputLines
from capo_core.imitation.generation.requests import GenerateConfig, PromptBuilder
from capo_core.imitation.models.base_files import find_base_model
from capo_core.imitation.prompting.examples import ExamplePool
from capo_core.imitation.prompting.prompts import (
    FIRST_VERSION,
    METHODS,
    Prompt,
    prompt_ids,
    prompt_text,
)
from capo_core.imitation.prompting.responses import items_of
from capo_core.json_text import json_line
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds.training import texts_of
from capo_core.runs.run import Run
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace, safe_name


@dataclass(frozen=True)
class AnswerDetails:
    """An answer with its prompt.

    Attributes:
        output_id, target, item_id, sample: which answer it is.
        prompt: as the model read it, with what its chat template adds; "" where it cannot be built.
        raw: what the model wrote.
        prompt_tokens, output_tokens: their tokens as texts; empty for a model at a server, whose
            tokenizer is not known, and where the prompt cannot be built.
        prompt_count, output_count: numbers of tokens recorded with the answer.
        finish: how the answer ended: "stop", "length" or "error".
        label_probabilities: of the labels, where the label was chosen by its score.
        note: what is to be known of the prompt, as a sentence; "" for nothing.
    """

    output_id: str
    target: str
    item_id: str
    sample: str
    prompt: str
    raw: str
    prompt_tokens: tuple[str, ...]
    output_tokens: tuple[str, ...]
    prompt_count: int
    output_count: int
    finish: str
    label_probabilities: Mapping[str, float]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def answer_details(
    workspace: Workspace, run: Run, dataset: Dataset, target: str, item_id: str, sample: str = "0"
) -> AnswerDetails:
    """Return one answer of a generation with its prompt.

    Args:
        dataset: of the run.
        sample: number of the answer to the item, from 0.

    Raises:
        RunError: the run has no such answer, or is no generation of this dataset.
    """
    row = _row(run, target, item_id, sample)
    folder = run.files
    try:
        tokenizer = _tokenizer_of(workspace, run)
        prompt = _prompt(workspace, run, dataset, target, item_id, tokenizer)
    except CapoError as error:
        return _details(row, "", (), (), note=f"The prompt cannot be built: {error.problem}.")
    raw = str(row.get("raw_text", ""))
    recorded = int(row.get("prompt_tokens", 0))
    if tokenizer is None:
        server = folder.config.get("base", {}).get("server", "a server")
        note = f"The prompt as it was sent to {server}; its tokens are not known here."
        return _details(row, prompt.text, (), (), note=note)
    ids = prompt_ids(prompt, tokenizer)
    tokens = tuple(tokenizer.convert_ids_to_tokens(list(ids)))
    written = tokenizer(raw, add_special_tokens=False)["input_ids"]
    note = ""
    if recorded and len(ids) != recorded:
        note = (
            f"Built again, the prompt has {len(ids):,} tokens, and {recorded:,} were recorded "
            "(a mark of the label may have followed it, or data or program have changed since)."
        )
    return _details(
        row,
        prompt_text(prompt, tokenizer),
        tuple(_readable(tokenizer, ids)) or tokens,
        tuple(_readable(tokenizer, written)),
        note=note,
    )


def _details(row: Mapping[str, Any], prompt: str, tokens, written, *, note: str) -> AnswerDetails:
    return AnswerDetails(
        str(row["output_id"]), str(row["target_annotator_id"]), str(row["item_id"]),
        str(row["sample"]), prompt, str(row.get("raw_text", "")), tokens, written,
        int(row.get("prompt_tokens", 0)), int(row.get("output_tokens", 0)),
        str(row.get("finish", "")), dict(row.get("label_probabilities") or {}), note,
    )  # fmt: skip


def _readable(tokenizer: Any, ids: Sequence[int]) -> Iterator[str]:
    """Yield each token as the text it stands for; bytes that are no whole character as "�"."""
    for token in ids:
        yield tokenizer.decode([token], skip_special_tokens=False,
                               clean_up_tokenization_spaces=False)  # fmt: skip


def _row(run: Run, target: str, item_id: str, sample: str) -> dict[str, Any]:
    """Return the line of the answer in outputs.jsonl."""
    path = OutputLines(run.folder).path
    try:
        about = path.stat()
    except OSError:
        raise RunError("the run has no answers", where=run.run_id) from None
    found = _rows(path, about.st_mtime_ns, about.st_size).get((target, item_id, sample))
    if found is None:
        raise RunError(
            f"there is no answer {sample} for {target!r} to item {item_id!r}",
            where=run.run_id,
            todo="see what there is: outputs.jsonl in the run's folder",
        )
    return json.loads(found)


@lru_cache(maxsize=4)
def _rows(path: Path, changed: int, size: int) -> dict[tuple[str, str, str], str]:
    return {
        (str(row["target_annotator_id"]), str(row["item_id"]), str(row["sample"])): json_line(row)
        for row in OutputLines(path.parent).read()
    }


class _TokenizerOnly(Backend):
    """Part of a model that building a prompt needs, without the model."""

    scores_labels = True

    def __init__(self, tokenizer: Any, longest: int | None, *, embedded: bool) -> None:
        self.name, self.fingerprint = "tokenizer", ""
        self._tokenizer, self._longest = tokenizer, longest
        if embedded:
            self.prompt_version = FIRST_VERSION

    def complete(self, requests, decoding, *, done=frozenset(), progress=None):
        raise RunError("there is no model to answer")

    def excess(self, prompt: Prompt, decoding: Decoding) -> int:
        if self._longest is None:
            return 0
        needed = len(prompt_ids(prompt, self._tokenizer)) + decoding.max_new_tokens
        return max(0, needed - self._longest)


class _ServerPrompts(Backend):
    """A server, as far as the prompts it is asked with are concerned."""

    def __init__(self, name: str) -> None:
        self.name, self.fingerprint = name, ""

    def complete(self, requests, decoding, *, done=frozenset(), progress=None):
        raise RunError("there is no model to answer")


def _base_folder(workspace: Workspace, run: Run) -> Path | None:
    """Return the folder of the run's base model; None for a model at a server."""
    base = run.files.config.get("base") or {}
    if base.get("server"):
        return None
    try:
        name = str(run.request.settings.get("base") or base.get("name", ""))
    except CapoError:
        name = str(base.get("name", ""))
    return find_base_model(name, workspace)


def _tokenizer_of(workspace: Workspace, run: Run) -> Any:
    folder = _base_folder(workspace, run)
    return None if folder is None else _tokenizer(folder)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a damaged file raises: there are many kinds
        raise ConfigError("the tokenizer cannot be read", where=str(folder)) from error


def _backend(workspace: Workspace, run: Run, tokenizer: Any) -> Backend:
    folder = _base_folder(workspace, run)
    if folder is None:
        return _ServerPrompts(str(run.files.config["base"].get("name", "")))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config", config)
    longest = config.get("max_position_embeddings")
    embedded = folder.resolve() == EMBEDDED_BASE.resolve()
    return _TokenizerOnly(tokenizer, longest, embedded=embedded)


def _prompt(
    workspace: Workspace, run: Run, dataset: Dataset, target: str, item_id: str, tokenizer: Any
) -> Prompt:
    raw = run.files.config
    about = raw.get("dataset") or {}
    if about.get("fingerprint") != dataset.fingerprint:
        raise RunError("the dataset has changed since", where=dataset.name)
    config = GenerateConfig(**raw["settings"])
    profiles: dict[str, str] = {}
    if config.method == "profile":
        name = run.request.settings.get("profiles")
        if not name:
            raise RunError("the run does not name the run of its profiles", where=run.run_id)
        profiles = texts_of(RunFolder(workspace.runs / safe_name(str(name))), [target])
    item = next((one for one in items_of(dataset, config.split) if one.item_id == item_id), None)
    if item is None:
        raise RunError(f"item {item_id!r} is not in the split {config.split}", where=dataset.name)

    def choose(who: str, one: Any):
        if not METHODS[config.method].examples:
            return ()
        embed = None
        if config.how == "nearest":
            from capo_core.text.embeddings import Embedder

            embed = Embedder(workspace.cache)
        pool = ExamplePool(dataset, who, how=config.how, seed=config.seed, embed=embed)
        return pool.choose(config.examples, one)

    builder = PromptBuilder(dataset, config, _backend(workspace, run, tokenizer), profiles, choose)
    return builder.build(target, item)[0]
