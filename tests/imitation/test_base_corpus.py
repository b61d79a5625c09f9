"""What a base reads: every format as it is rendered elsewhere, and nothing of the demo."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.base_models import TINY

from capo_core.imitation.embedded_base.config import FORMATS
from capo_core.imitation.embedded_base.corpus import (
    SimulatedPopulation,
    TaskBatches,
    TaskSamples,
    common_beginning,
    computed_tokens,
    demo_texts,
    draw_item,
    learn_tokenizer,
    response_of,
    row_of,
    sample_texts,
)
from capo_core.imitation.embedded_base.network import new_network, token_losses
from capo_core.imitation.parsing import parse_response
from capo_core.imitation.prompting.prompts import PROFILE_PARTS, render
from capo_core.simulation.annotators import sample_annotators
from capo_core.simulation.demo import CONFIGS
from capo_core.simulation.grammar import Draws
from capo_core.simulation.simulate import TASKS, simulate


@pytest.fixture(scope="module")
def samples():
    return TaskSamples(SimulatedPopulation(TINY))


@pytest.fixture(scope="module")
def tokenizer(samples):
    return learn_tokenizer(sample_texts(samples, TINY.tokenizer_samples), TINY.vocabulary)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("task", TASKS)
def test_rows_are_what_render_makes(samples, tokenizer, kind, task):
    sample = samples.draw(kind, task, 3, Draws([1]), examples=12)
    row = row_of(sample, tokenizer, TINY)
    rendered = render(sample.prompt, [sample.response], tokenizer)
    assert row.ids == (*rendered.prompt, *rendered.responses[0])
    assert row.answer == len(rendered.prompt)
    # The answer is learned whole, with its end; a label counts more.
    assert set(row.weights[row.answer :]) <= {1.0, TINY.label_weight}
    heavy = [i for i in range(row.answer, len(row.ids)) if row.weights[i] > 1]
    label = tokenizer.decode([row.ids[i] for i in heavy]).strip()
    assert label == (sample.asked.example.label if sample.asked else "")


@pytest.mark.parametrize("kind", ["in_context", "ask_for_profile"])
def test_responses_in_the_prompt_are_learned_too(samples, tokenizer, kind):
    sample = samples.draw(kind, "nli", 3, Draws([2]), examples=10)
    row = row_of(sample, tokenizer, TINY)
    pieces, shown = [], False
    for token, weight in zip(row.ids[: row.answer], row.weights[: row.answer], strict=True):
        if weight >= 1 and not shown:
            pieces.append([])
        shown = weight >= 1
        if shown:
            pieces[-1].append(token)
    assert [tokenizer.decode(piece) for piece in pieces] == [
        response_of(shown) for shown in sample.shown
    ]
    assert len(pieces) == 10


def test_second_texts_are_learned_a_little(samples, tokenizer):
    for task, (about, _) in TASKS.items():
        sample = samples.draw("zero_shot", task, 3, Draws([4]))
        row = row_of(sample, tokenizer, TINY)
        learned = [
            token
            for token, weight in zip(row.ids, row.weights, strict=True)
            if weight == TINY.prompt_weight
        ]
        assert tokenizer.decode(learned) == f" {sample.asked.example.item.text_b}"
        assert about.role_b.capitalize() in sample.prompt.text


def test_labels_are_learned_with_their_probabilities(samples, tokenizer):
    for task, (about, _) in TASKS.items():
        draws = Draws([6])
        for _ in range(20):
            sample = samples.draw("zero_shot", task, 3, draws)
            row = row_of(sample, tokenizer, TINY)
            # The chain rule: a label is as likely as its tokens, each given those before it.
            likely = math.prod(dict(spread)[row.ids[place]] for place, spread in row.spread.items())
            label = about.scale.labels.index(sample.asked.example.label)
            assert likely == pytest.approx(sample.asked.shares[label])
            assert all(
                sum(share for _, share in spread) == pytest.approx(1)
                for spread in row.spread.values()
            )


def test_answers_parse_and_profiles_have_their_parts(samples):
    for task, (about, _) in TASKS.items():
        answer = samples.draw("in_context", task, 1, Draws([3]), examples=2)
        assert not parse_response(answer.response, about).problem
        asked = samples.draw("ask_for_profile", task, 1, Draws([3]), examples=15)
        lines = asked.response.splitlines()
        assert [line.split()[0] for line in lines] == list(PROFILE_PARTS)
        assert len(asked.response.split()) <= 80
        told = samples.draw("with_profile", task, 1, Draws([3]))
        assert PROFILE_PARTS[2] in told.prompt.text


def test_a_step_depends_on_seed_and_step_alone(samples, tokenizer):
    batches = TaskBatches(samples, tokenizer)
    fresh = TaskBatches(TaskSamples(SimulatedPopulation(TINY)), tokenizer)
    assert fresh.step(5) == batches.step(5) != batches.step(6)
    other = TaskBatches(TaskSamples(SimulatedPopulation(replace(TINY, seed=8))), tokenizer)
    assert other.step(5) != batches.step(5)


def test_a_step_has_both_tasks_and_its_shares_sum_to_one(samples, tokenizer):
    batches = TaskBatches(samples, tokenizer)
    for step in range(3):
        made = batches.step(step)
        assert [part.task for part in made[:2]] == list(TASKS)
        assert sum(part.share for part in made) == 1
        assert all(computed_tokens(part.rows) >= 256 / 4 for part in made)


def test_no_annotator_is_one_of_the_demo():
    world = SimulatedPopulation(TINY)
    # The demo's streams are [seed, 1, i]; ours have four numbers and begin with a mark.
    demo = [
        spec.tilts
        for config in CONFIGS.values()
        for spec in sample_annotators(config.annotators, [config.seed, 1])
    ]
    assert len(demo) == 8
    ours = [world.writer(i).spec.tilts for i in range(200)]
    assert not [tilts for tilts in ours if tilts in demo]
    assert len({str(tilts) for tilts in ours}) == 200


def test_no_item_has_a_text_of_the_demo(samples, tokenizer):
    texts = {
        text
        for config in CONFIGS.values()
        for column in ("text_a", "text_b")
        for text in simulate(config).dataset.items[column]
    }
    assert demo_texts() == texts
    for task in TASKS:
        draws = Draws([9, 9])
        drawn = [draw_item(task, draws) for _ in range(2000)]
        assert not {text for item in drawn for text in (item.text_a, item.text_b)} & texts
        # Without the exclusion there would have been some.
        draws = Draws([9, 9])
        plain = [TASKS[task][1](draws) for _ in range(2000)]
        assert {text for item in plain for text in (item.text_a, item.text_b)} & texts


def test_a_shared_beginning_changes_no_loss(samples, tokenizer):
    model = new_network(TINY, tokenizer)
    for part in TaskBatches(samples, tokenizer).step(1):
        assert common_beginning(part.rows) > 10 or len(part.rows) == 1
        losses, weights = token_losses(model, part.rows)
        plain = []
        for row in part.rows:
            ids = torch.tensor([row.ids])
            scores = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
            each = -scores.gather(1, ids[0, 1:, None])[:, 0]
            for i, likely in row.spread.items():
                each[i - 1] = -sum(share * scores[i - 1, token] for token, share in likely)
            plain.append(each[torch.tensor(row.weights[1:]) > 0])
        assert torch.allclose(losses, torch.cat(plain), atol=1e-4)
        assert weights.tolist() == pytest.approx([w for row in part.rows for w in row.weights if w])
