"""Work side by side on a CPU's cores: the numbers of one part after the other, and its errors."""

import threading
import time

import pytest
import torch
from helpers.generation import base_with_adapters, local_backend
from helpers.tiny_training import sft_config, tiny_dataset, weights

from capo_core.errors import RunError, Stopped
from capo_core.imitation.backends.base import Decoding, GenerationRequest, LabelChoice
from capo_core.imitation.backends.transformers import TokenizedRequest, plan_batches
from capo_core.imitation.models import side_by_side
from capo_core.imitation.models.adapters import NAME, new_adapter
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.models.fast_layers import speed_up
from capo_core.imitation.models.side_by_side import SideBySide
from capo_core.imitation.prompting.prompts import Prompt
from capo_core.imitation.training import sft as training
from capo_core.imitation.training import stage
from capo_core.imitation.training.config import AdapterSettings
from capo_core.imitation.training.micro_batches import micro_batches
from capo_core.imitation.training.scoring.explanations import (
    explanation_log_probs,
    render_explanations,
)
from capo_core.run_folder import RunFolder
from capo_core.task import NLI


@pytest.fixture(autouse=True)
def two_threads():
    """Two threads whatever the machine has, as the lanes need them."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return base_with_adapters(tmp_path_factory.mktemp("tiny"), "a1", "a2")


@pytest.fixture
def model(place):
    model = new_adapter(load_base_model(str(place / "base")), AdapterSettings(), 0).train()
    speed_up(model, NAME)
    return model


def one_lane(monkeypatch):
    monkeypatch.setattr(side_by_side, "LANES", 1)


def test_the_lanes_share_weights_and_nothing_else(model):
    first, second = SideBySide(model).models
    own, same = dict(first.named_parameters()), dict(second.named_parameters())
    assert own.keys() == same.keys() and all(own[name] is same[name] for name in own)
    assert not set(first.modules()) & set(second.modules())


def test_results_come_in_order_with_the_modes_and_gradients_of_here(model):
    side, meet = SideBySide(model), threading.Barrier(2)

    def work(model, part):
        meet.wait(60)  # two at once, or this breaks
        return part, model.training, torch.is_grad_enabled(), torch.get_num_threads()

    assert list(side.results(work, range(4))) == [(n, True, True, 1) for n in range(4)]
    model.eval()
    with torch.no_grad():
        assert list(side.results(work, range(2))) == [(n, False, False, 1) for n in range(2)]
    assert torch.get_num_threads() == 2


def test_an_error_of_a_part_is_raised_when_the_others_have_ended(model):
    running = []

    def work(model, part):
        running.append(part)
        if part == 1:
            raise ValueError("no")
        running.remove(part)

    with pytest.raises(ValueError, match="no"):
        list(SideBySide(model).results(work, range(4)))
    assert running == [1]


def test_who_waits_can_end_the_work(model):
    side, begun = SideBySide(model), threading.Event()

    def work(model, part):
        begun.set()
        while True:
            side.keep_on()

    def look():
        if begun.wait(60):
            raise Stopped("enough")

    with pytest.raises(Stopped, match="enough"):
        list(side.results(work, range(3), look))
    assert list(side.results(lambda model, part: part, range(3))) == [0, 1, 2]


def test_dropout_and_one_core_have_one_lane(place, model):
    assert SideBySide(model).lanes == 2
    torch.set_num_threads(1)
    assert SideBySide(model).lanes == 1
    torch.set_num_threads(2)
    base = load_base_model(str(place / "base"))
    dropping = new_adapter(base, AdapterSettings(dropout=0.1), 0)
    assert SideBySide(dropping.train()).lanes == 1
    assert SideBySide(dropping.eval()).lanes == 2  # nothing is dropped


def test_each_part_has_its_lane_and_no_lane_runs_ahead(model):
    side, seen = SideBySide(model), []

    def work(model, part):
        seen.append((part, side.models.index(model)))
        return part

    for part in side.results(work, range(12)):
        time.sleep(0.02)  # one result waits for each lane, and one may be on its way
        assert len(seen) <= part + 1 + 2 * side.lanes
    assert all(lane == part % 2 for part, lane in seen) and len(seen) == 12
    assert not [each for each in threading.enumerate() if "compute" in each.name]


def test_where_two_micro_batches_have_no_room_one_is_computed_at_a_time(
    base, tmp_path, monkeypatch
):
    asked = []

    def check(*args, lanes, **more):
        asked.append(lanes)
        if lanes == 2:
            raise RunError("too little memory")

    monkeypatch.setattr(stage, "check_room", check)
    folder = RunFolder(tmp_path / "run")
    training.train_sft(tiny_dataset(), "A", sft_config(batch_tokens=64), base, folder)
    assert asked == [2, 1] and folder.done


def test_a_step_is_divided_so_that_no_lane_is_idle():
    rows = [[50]] * 7
    assert [len(part) for part in micro_batches(range(7), rows, 150)] == [2, 2, 2, 1]
    assert [len(part) for part in micro_batches(range(7), rows, 350)] == [7]


def test_answers_are_divided_so_that_no_lane_is_idle():
    rows = [
        TokenizedRequest(GenerationRequest(f"k{n}", Prompt("")), tuple(range(10)))
        for n in range(10)
    ]
    assert [len(batch) for batch in plan_batches(rows, 10, 80)] == [3, 3, 2, 2]
    assert [len(batch) for batch in plan_batches(rows, 10, 200)] == [10]


def test_training_gives_the_same_weights_to_the_last_bit(base, tmp_path, monkeypatch):
    config = sft_config(batch_tokens=64)  # several micro-batches a step
    found = []
    for lanes in (2, 1):
        monkeypatch.setattr(side_by_side, "LANES", lanes)
        torch.set_num_threads(lanes)  # one each
        folder = RunFolder(tmp_path / str(lanes))
        training.train_sft(tiny_dataset(), "A", config, base, folder)
        found.append((weights(folder), folder.result))
    (two, told), (one, alone) = found
    assert all(torch.equal(two[name], one[name]) for name in one)
    assert told["loss"] == alone["loss"] and told["validation_loss"] == alone["validation_loss"]


@pytest.mark.parametrize("label", [None, LabelChoice(NLI.scale.labels)], ids=["free", "label"])
def test_answers_are_the_same(place, label, monkeypatch):
    requests = [
        GenerationRequest(f"k{k}", Prompt(f"The fox {k} and"), adapter, seed=k, label=label)
        for k in range(8)
        for adapter in ("", str(place / "a1"))[k % 2 : k % 2 + 1]
    ]
    decoding = Decoding(temperature=0.8, max_new_tokens=12)

    def answers():
        made = local_backend(place, batch_tokens=60)
        said = {request.key: reply.text for request, reply in made.complete(requests, decoding)}
        return said, made.label_scores(requests, decoding) if label else {}

    together, scores = answers()
    one_lane(monkeypatch)
    torch.set_num_threads(1)
    alone, expected = answers()
    assert together == alone and len(alone) == 8
    assert scores == expected


def test_answers_end_where_a_stop_is_asked_for(place):
    requests = [GenerationRequest(f"k{k}", Prompt(f"Fox {k} and"), seed=k) for k in range(6)]
    made = local_backend(place, batch_tokens=210)  # one row a batch, long answers

    def stop(what: str, share: float) -> None:
        raise Stopped("enough")

    with pytest.raises(Stopped, match="enough"):
        list(made.complete(requests, Decoding(0, 1.0, 200), progress=stop))
    assert len(list(made.complete(requests, Decoding(0, 1.0, 2)))) == 6


@pytest.mark.parametrize("threads", [1, 2])
def test_scoring_texts_tells_how_far_it_is_and_hears_a_stop(place, threads):
    torch.set_num_threads(threads)
    base, shares = load_base_model(str(place / "base")), []
    renders = [
        render_explanations(base, Prompt(f"The fox {k} and"), [("neutral", "It slept.")])
        for k in range(6)
    ]

    def score(progress):
        return explanation_log_probs(base, place / "a1", renders, batch_tokens=8, progress=progress)

    assert len(score(lambda what, share: shares.append(share))) == 6
    assert shares == sorted(shares) and shares[0] == 0 and 0 < shares[-1] < 1

    def stop(what: str, share: float) -> None:
        if share > 0:
            raise Stopped("enough")

    with pytest.raises(Stopped, match="enough"):
        score(stop)
