"""An answer in full: the prompt is built again as the model read it, with its tokens."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer

from capo_core.data.catalog import Catalog
from capo_core.errors import RunError
from capo_core.imitation.generation.requests import GenerateConfig, dataset_identity
from capo_core.runs.answer_details import answer_details
from capo_core.runs.run import Run
from capo_core.shipped import EMBEDDED_BASE
from capo_core.workspace import Workspace, write_json

pytestmark = pytest.mark.skipif(
    not (EMBEDDED_BASE / "tokenizer.json").exists(), reason="the embedded base is not built"
)
RAW = "Label: neutral\nExplanation: It is not said."


def generation(workspace, dataset, base: dict, method: str = "icl") -> tuple[Run, str]:
    run = Run(workspace.runs / "answers")
    item = dataset.items.loc[dataset.items["split"] == "test", "item_id"].iloc[0]
    write_json(
        run.folder / "config.json",
        {"stage": "generate", "targets": ["A"], "dataset": dataset_identity(dataset), "base": base,
         "settings": GenerateConfig(method, examples=2).to_dict()},
    )  # fmt: skip
    row = {"output_id": "o", "target_annotator_id": "A", "item_id": item, "sample": "0",
           "raw_text": RAW, "prompt_tokens": 0, "output_tokens": 11, "finish": "stop"}  # fmt: skip
    (run.folder / "outputs.jsonl").write_text(json.dumps(row) + "\n")
    return run, item


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def test_prompt_output_and_tokens_of_an_answer(workspace):
    dataset = Catalog(workspace).load("demo-nli")
    run, item = generation(workspace, dataset, {"name": "embedded"})
    found = answer_details(workspace, run, dataset, "A", item)
    texts = dataset.items.set_index("item_id").loc[item]
    assert texts["text_a"] in found.prompt and found.raw == RAW
    assert found.prompt.count("Explanation:") >= 3  # the form, and two examples
    # Tokens are those of the model's own tokenizer, and add up to the text.
    ids = Tokenizer.from_file(str(EMBEDDED_BASE / "tokenizer.json")).encode(
        found.prompt, add_special_tokens=False
    )
    assert len(found.prompt_tokens) in (len(ids.ids), len(ids.ids) + 1)
    assert "".join(found.output_tokens) == RAW
    with pytest.raises(RunError, match="no answer 3 for 'A'"):
        answer_details(workspace, run, dataset, "A", item, "3")


def test_a_server_has_a_prompt_and_no_tokens(workspace):
    dataset = Catalog(workspace).load("demo-nli")
    base = {"name": "big", "server": "http://localhost:8000/v1"}
    run, item = generation(workspace, dataset, base, "zero_shot")
    found = answer_details(workspace, run, dataset, "A", item)
    assert dataset.items.set_index("item_id").at[item, "text_b"] in found.prompt
    assert not found.prompt_tokens and "localhost:8000" in found.note
