"""CAPO on the explanation given the label: which tokens count, and which do not."""

import pytest
import torch
from helpers.architectures import tiny_model
from transformers import AutoTokenizer

from capo_core.errors import ConfigError
from capo_core.imitation.prompting.prompts import (
    Prompt,
    Rendered,
    head_tokens,
    render,
    write_response,
)
from capo_core.imitation.training.capo import reference_scores
from capo_core.imitation.training.config import CapoConfig
from capo_core.imitation.training.examples import ResponseContrast, as_pairs
from capo_core.imitation.training.objective import (
    Contrastive,
    TrainingExample,
    anchored,
    contrasted,
)
from capo_core.imitation.training.scoring.engines import GroupEngine, PairsEngine, TreeEngine
from capo_core.shipped import EMBEDDED_BASE

ITEM = Rendered((5, 6, 7, 8), ((9, 10, 11, 2), (12, 10, 2), (9, 13, 14, 15, 2)), (2, 1, 2))


@pytest.mark.parametrize("engine", [PairsEngine(), GroupEngine(), TreeEngine()])
def test_label_and_explanation_add_up_to_the_response(engine):
    model = tiny_model("llama").eval()
    table = engine.score(model, [ITEM], pad_id=0)
    assert table.explanation_tokens.tolist() == [2, 2, 3]
    # The explanation given its label is a response to the prompt that ends in the label.
    for number, (response, head) in enumerate(zip(ITEM.responses, ITEM.heads, strict=True)):
        given = Rendered((*ITEM.prompt, *response[:head]), (response[head:],))
        wanted = engine.score(model, [given], pad_id=0).log_probs[0]
        torch.testing.assert_close(table.explanation_log_probs[number], wanted, atol=1e-5, rtol=0)
    label = (table.log_probs - table.explanation_log_probs) / torch.tensor([2, 1, 2])
    torch.testing.assert_close(anchored(table, "label"), -label)
    torch.testing.assert_close(anchored(table, "response"), -table.log_probs / table.tokens)


def test_without_heads_the_whole_response_is_its_explanation():
    table = GroupEngine().score(tiny_model("llama"), [Rendered((5, 6), ((7, 8, 2),))], pad_id=0)
    torch.testing.assert_close(table.explanation_log_probs, table.log_probs)
    assert contrasted(table, "explanation")[1].tolist() == [3]


def test_the_head_ends_with_the_mark():
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_BASE)
    response = write_response("neutral", "Nobody says so.")
    ids = render(Prompt("Well?"), [response], tokenizer)
    head = ids.heads[0]
    assert tokenizer.decode(ids.responses[0][:head]).endswith("Explanation:")
    assert "Nobody" in tokenizer.decode(ids.responses[0][head:])
    assert head_tokens("no marks here", tokenizer) == 0


def test_pairs_keep_their_heads():
    contrast = ResponseContrast(ITEM, (0,), ((1, 2),))
    assert [pair.rendered.heads for pair in as_pairs(contrast)] == [(2, 1), (2, 2)]


def test_labels_are_not_contrasted_where_the_explanation_is():
    """The gradient of the label's tokens comes from the anchor alone."""
    contrast = ResponseContrast(ITEM, (0,), ((1, 2),))
    model = tiny_model("llama").eval()

    def loss(**settings):
        objective = Contrastive(GroupEngine(), 0, CapoConfig(**settings))
        table = GroupEngine().score(model, [ITEM], pad_id=0)
        reference = contrasted(table, objective.config.contrast)[0].detach()
        return objective, objective.batch_loss(model, [TrainingExample(contrast, reference)])

    # At the reference every margin is 0: the contrast is log 2 a pair whatever is contrasted.
    for part in ("response", "explanation"):
        _, found = loss(contrast=part, nll=0.0)
        assert found.total.item() / found.units == pytest.approx(0.6931, abs=1e-4)
    table = GroupEngine().score(model, [ITEM], pad_id=0)
    for part in ("response", "label"):
        _, found = loss(contrast="explanation", nll=1.0, anchor=part)
        wanted = 0.6931 + anchored(table, part)[0].item()
        assert found.total.item() / found.units == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("part", ["response", "explanation"])
def test_the_desensitised_form_weighs_what_a_longer_response_has_more(part, tmp_path):
    """By hand, and with the reference as a training stores it."""
    contrast, alpha, beta = ResponseContrast(ITEM, (0,), ((1, 2),)), 0.25, 0.5
    reference_model, model = tiny_model("llama").eval(), tiny_model("llama").eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.3)
    engine = GroupEngine()
    reference = reference_scores(
        reference_model, engine, [ITEM], cache_folder=tmp_path, key={"base": "b"}, pad_id=0,
        part=part, by_token=True,
    )  # fmt: skip
    heads = ITEM.heads if part == "explanation" else (0, 0, 0)

    def by_token(scorer):
        table = engine.score(scorer, [ITEM], pad_id=0)
        lengths = [len(response) for response in ITEM.responses]
        return [
            row[head:length] for row, head, length in zip(table.by_place, heads, lengths,
                                                          strict=True)
        ]  # fmt: skip

    now, before = by_token(model), by_token(reference_model)
    torch.testing.assert_close(reference[0], torch.cat(before).detach())
    wanted = []
    for other in (1, 2):
        shared = min(len(now[0]), len(now[other]))
        rewards = []
        for which in (0, other):
            change = now[which] - before[which]
            rewards.append(beta * (change[:shared].sum() + alpha * change[shared:].sum()))
        wanted.append(-torch.nn.functional.logsigmoid(rewards[0] - rewards[1]).item())
    config = CapoConfig(contrast=part, ld_alpha=alpha, beta=beta, nll=0.0)
    found = Contrastive(engine, 0, config).batch_loss(
        model, [TrainingExample(contrast, reference[0])]
    )
    assert found.total.item() / found.units == pytest.approx(sum(wanted) / 2, abs=1e-5)


@pytest.mark.parametrize("wrong", [{"loss": "listwise"}, {"length_norm": True}])
def test_lengths_are_compared_within_pairs_only(wrong):
    with pytest.raises(ConfigError, match="lengths are compared within a pair"):
        CapoConfig(ld_alpha=0.5, **wrong)


def test_the_plain_form_keeps_its_name():
    plain = CapoConfig().to_dict()
    assert not {"contrast", "anchor", "ld_alpha"} & set(plain)
    other = CapoConfig(contrast="explanation", anchor="label").to_dict()
    assert (other["contrast"], other["anchor"]) == ("explanation", "label")
    assert CapoConfig.from_dict(other).contrast == "explanation"
