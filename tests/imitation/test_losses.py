"""The losses by their formulas, written out a second time in plain Python."""

from __future__ import annotations

import math

import pytest
import torch

from capo_core.cli.options import help_of
from capo_core.errors import ConfigError
from capo_core.imitation.training import config, losses
from capo_core.imitation.training.losses import (
    CONTRASTIVE_LOSSES,
    contrastive_loss,
    listwise,
    nca,
    pairwise,
    row_units,
    supervised_loss,
)
from capo_core.settings import setting_field

# Three rows with 3, 1 and 2 rejected responses.
MASK = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
KINDS = {"pairwise": pairwise, "listwise": listwise, "nca": nca}


def rewards(seed=0, spread=1.5):
    torch.manual_seed(seed)
    return spread * torch.randn(3, dtype=torch.float64), spread * torch.randn(3, 3).double()


def scores(seed=0, **extra):
    """Keyword arguments of a loss on log-probabilities such as real responses have."""
    torch.manual_seed(seed)

    def near(*shape):
        return (-40 + 5 * torch.randn(*shape)).double()

    return {
        "policy_chosen": near(3),
        "policy_rejected": near(3, 3),
        "reference_chosen": near(3),
        "reference_rejected": near(3, 3),
        "mask": MASK,
        "chosen_tokens": torch.tensor([8, 12, 30]),
        "rejected_tokens": torch.tensor([[7, 9, 11], [25, 1, 1], [2, 14, 1]]),
        **extra,
    }


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def rows(r_chosen, r_rejected, mask=MASK):
    for chosen, rejected, real in zip(r_chosen, r_rejected, mask, strict=True):
        yield (
            chosen.item(),
            [r.item() for r, is_real in zip(rejected, real, strict=True) if is_real],
        )


def test_pairwise_is_the_mean_of_dpo_losses():
    r0, rk = rewards()
    wanted = [-sum(log_sigmoid(c - r) for r in rs) / len(rs) for c, rs in rows(r0, rk)]
    assert pairwise(r0, rk, MASK).tolist() == pytest.approx(wanted)


def test_listwise_is_the_formula_of_s_dpo_and_minus_log_softmax():
    r0, rk = rewards()
    # S-DPO: -log sigmoid(-log sum_k exp(r_k - r_0)).
    formula = [-log_sigmoid(-math.log(sum(math.exp(r - c) for r in rs))) for c, rs in rows(r0, rk)]
    softmax = [
        -torch.tensor([c, *rs], dtype=torch.float64).log_softmax(0)[0].item()
        for c, rs in rows(r0, rk)
    ]
    found = listwise(r0, rk, MASK).tolist()
    assert found == pytest.approx(formula) and found == pytest.approx(softmax)


def test_nca_is_the_formula():
    r0, rk = rewards()
    wanted = [
        -log_sigmoid(c) - sum(log_sigmoid(-r) for r in [c, *rs]) / (len(rs) + 1)
        for c, rs in rows(r0, rk)
    ]
    assert nca(r0, rk, MASK).tolist() == pytest.approx(wanted)


def test_weights_of_rejected_responses_by_hand():
    r0, rk = rewards()
    w = torch.tensor([[0.5, 2.0, 0.0], [1.5, 1, 1], [3.0, 1.0, 1]], dtype=torch.float64)
    weighted = [
        (c, list(zip(ws[: len(rs)].tolist(), rs, strict=True)))
        for (c, rs), ws in zip(rows(r0, rk), w, strict=True)
    ]
    wanted = [-sum(v * log_sigmoid(c - r) for v, r in ws) / len(ws) for c, ws in weighted]
    assert pairwise(r0, rk, MASK, w).tolist() == pytest.approx(wanted)
    wanted = [math.log(1 + sum(v * math.exp(r - c) for v, r in ws)) for c, ws in weighted]
    assert listwise(r0, rk, MASK, w).tolist() == pytest.approx(wanted)
    wanted = [
        -log_sigmoid(c)
        - (log_sigmoid(-c) + sum(v * log_sigmoid(-r) for v, r in ws)) / (len(ws) + 1)
        for c, ws in weighted
    ]
    assert nca(r0, rk, MASK, w).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
def test_weights_of_one_are_no_weights(kind):
    r0, rk = rewards()
    loss = KINDS[kind]
    ones = torch.ones_like(rk)
    for smoothing in (0.0, 0.2):
        bare = loss(r0, rk, MASK, None, smoothing)
        torch.testing.assert_close(loss(r0, rk, MASK, ones, smoothing), bare)


def test_smoothing_is_conservative_dpo():
    r0, rk = rewards()
    wanted = [
        -sum(0.9 * log_sigmoid(c - r) + 0.1 * log_sigmoid(r - c) for r in rs) / len(rs)
        for c, rs in rows(r0, rk)
    ]
    assert pairwise(r0, rk, MASK, smoothing=0.1).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_listwise_against_one_is_pairwise(smoothing):
    r0, rk = rewards()
    one = MASK & torch.tensor([True, False, False])
    torch.testing.assert_close(
        listwise(r0, rk, one, None, smoothing), pairwise(r0, rk, one, None, smoothing)
    )


def test_smoothed_listwise_and_nca_have_a_soft_target():
    r0, rk = rewards()
    listed, held = [], []
    for c, rs in rows(r0, rk):
        share = [0.8] + [0.2 / len(rs)] * len(rs)
        every = torch.tensor([c, *rs], dtype=torch.float64)
        soft = torch.tensor(share, dtype=torch.float64)
        listed.append(-(soft * every.log_softmax(0)).sum().item())
        both = soft * torch.sigmoid(every).log() + torch.sigmoid(-every).log() / len(every)
        held.append(-both.sum().item())
    assert listwise(r0, rk, MASK, smoothing=0.2).tolist() == pytest.approx(listed)
    assert nca(r0, rk, MASK, smoothing=0.2).tolist() == pytest.approx(held)


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
@pytest.mark.parametrize("garbage", [1e30, -torch.inf, torch.nan])
def test_what_is_masked_is_never_looked_at(kind, garbage):
    clean, dirty = scores(), scores()
    for given in (clean, dirty):
        given["policy_chosen"].requires_grad_()
    dirty["policy_rejected"] = dirty["policy_rejected"].masked_fill(~MASK, garbage)
    dirty["policy_rejected"].requires_grad_()
    found = [
        contrastive_loss(kind, **given, nll=0.5, label_smoothing=0.1) for given in (clean, dirty)
    ]
    assert found[0].loss.item() == found[1].loss.item()
    found[1].loss.backward()
    slope = dirty["policy_rejected"].grad
    assert torch.isfinite(slope).all() and (slope[~MASK] == 0).all() and (slope[MASK] != 0).all()


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
@pytest.mark.parametrize("extras", [{}, {"nll": 0.4, "length_norm": True, "label_smoothing": 0.1}])
@pytest.mark.parametrize("per", ["pair", "item"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_by_finite_differences(kind, extras, per, weighted):
    given = scores()
    fixed = {name: value for name, value in given.items() if not name.startswith("policy")}
    if weighted:
        fixed["weights"] = torch.tensor([[0.5, 2.0, 0.0], [1.5, 1, 1], [3.0, 1, 1]]).double()

    def loss(chosen, rejected):
        return contrastive_loss(
            kind, policy_chosen=chosen, policy_rejected=rejected, **fixed, **extras, per=per
        ).loss

    chosen = given["policy_chosen"].requires_grad_()
    rejected = given["policy_rejected"].requires_grad_()
    assert torch.autograd.gradcheck(loss, (chosen, rejected))


def test_the_gradient_at_the_start_by_hand():
    # At r = 0, N = 3, beta = 1. Pairwise: sigmoid(0) = 1/2 shared by three pairs. Listwise:
    # softmax - target = 1/4 each, -3/4. NCA: chosen -1/2 + 1/2 * 1/4, rejected 1/2 * 1/4.
    expected = {
        "pairwise": (-1 / 2, 1 / 6),
        "listwise": (-3 / 4, 1 / 4),
        "nca": (-3 / 8, 1 / 8),
    }
    for kind, (chosen, rejected) in expected.items():
        r0 = torch.zeros(1, requires_grad=True)
        rk = torch.zeros(1, 3, requires_grad=True)
        KINDS[kind](r0, rk, torch.ones(1, 3, dtype=torch.bool)).sum().backward()
        assert r0.grad.tolist() == pytest.approx([chosen])
        assert rk.grad[0].tolist() == pytest.approx([rejected] * 3)


def row_losses(kind="pairwise", **settings) -> list[float]:
    """Each of the three rows alone."""
    given = scores()
    return [
        contrastive_loss(
            kind, **{name: value[at : at + 1] for name, value in given.items()}, **settings
        ).loss.item()
        for at in range(3)
    ]


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
def test_per_pair_and_per_item(kind):
    a, b, c = row_losses(kind, nll=0.3)
    pair = contrastive_loss(kind, **scores(), nll=0.3, per="pair")
    assert pair.units == 6 and pair.loss.item() == pytest.approx((3 * a + b + 2 * c) / 6)
    item = contrastive_loss(kind, **scores(), nll=0.3, per="item")
    assert item.units == 3 and item.loss.item() == pytest.approx((a + b + c) / 3)
    assert item.total.item() == pytest.approx(a + b + c)


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
@pytest.mark.parametrize("per", ["pair", "item"])
def test_parts_of_a_step_add_up(kind, per):
    given = scores()
    whole = contrastive_loss(kind, **given, nll=0.3, per=per)
    parts = [
        contrastive_loss(
            kind, **{name: value[part] for name, value in given.items()}, nll=0.3, per=per
        )
        for part in (slice(0, 1), slice(1, 3))
    ]
    total = sum(part.total for part in parts) / sum(part.units for part in parts)
    assert total.item() == pytest.approx(whole.loss.item())


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
@pytest.mark.parametrize("per", ["pair", "item"])
def test_a_row_with_nothing_rejected_counts_for_nothing(kind, per):
    given = scores()
    lonely = {**given, "mask": MASK.clone()}
    lonely["mask"][1] = False
    without = {name: value[[0, 2]] for name, value in given.items()}
    settings = {"nll": 0.5, "per": per, "label_smoothing": 0.1}
    found = contrastive_loss(kind, **lonely, **settings)
    assert found.loss.item() == pytest.approx(
        contrastive_loss(kind, **without, **settings).loss.item()
    )
    nothing = contrastive_loss(kind, **{**given, "mask": MASK & False}, **settings)
    assert nothing.loss.item() == 0 and nothing.units == 0 and math.isnan(nothing.accuracy)
    # Also where there is not even a column.
    bare = {n: v[:, :0] if v.dim() > 1 else v for n, v in given.items()}
    assert contrastive_loss(kind, **bare, **settings).loss.item() == 0


def test_the_anchor_and_the_figures():
    given = scores()
    found = contrastive_loss("pairwise", **given, nll=0.5, per="item")
    wanted = -(given["policy_chosen"] / given["chosen_tokens"]).mean().item()
    assert found.nll == pytest.approx(wanted)
    assert found.loss.item() == pytest.approx(found.contrast + 0.5 * wanted)
    change = given["policy_rejected"] - given["reference_rejected"]
    assert found.rejected_change == pytest.approx(change[MASK].mean().item())
    chosen = given["policy_chosen"] - given["reference_chosen"]
    assert found.chosen_change == pytest.approx(chosen.mean().item())
    margin = 0.1 * (chosen[:, None] - change)
    torch.testing.assert_close(found.margin[MASK], margin[MASK])
    assert found.margin[~MASK].isnan().all()
    assert found.accuracy == pytest.approx((margin[MASK] > 0).double().mean().item())
    assert found.pairs == 6


def test_length_norm_divides_by_the_length_first():
    given = scores()
    found = contrastive_loss("pairwise", **given, beta=2.0, length_norm=True, per="item")
    chosen = 2 * (given["policy_chosen"] - given["reference_chosen"]) / given["chosen_tokens"]
    change = given["policy_rejected"] - given["reference_rejected"]
    rejected = 2 * change / given["rejected_tokens"]
    assert found.loss.item() == pytest.approx(pairwise(chosen, rejected, MASK).mean().item())


def test_extreme_rewards_stay_finite():
    for kind in CONTRASTIVE_LOSSES:
        for sign in (1, -1):
            r0 = torch.tensor([sign * 1e4], requires_grad=True)
            rk = torch.tensor([[-sign * 1e4, 0.0]], requires_grad=True)
            loss = KINDS[kind](r0, rk, torch.ones(1, 2, dtype=torch.bool)).sum()
            loss.backward()
            assert torch.isfinite(loss) and torch.isfinite(r0.grad).all()
            assert torch.isfinite(rk.grad).all()


def test_a_row_counts_as_its_pairs_or_as_one_item():
    mask = torch.tensor([[True, True], [False, False]])
    assert row_units(mask, "pair").tolist() == [2, 0]
    assert row_units(mask, "item").tolist() == [1, 0]


def test_supervised_loss_is_a_sum_over_tokens():
    total, units = supervised_loss(torch.tensor([-6.0, -3.0]), torch.tensor([4, 2]))
    assert total.item() == 9 and units == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"beta": 0.0},
        {"beta": math.inf},
        {"beta": math.nan},
        {"nll": -0.1},
        {"nll": math.nan},
        {"label_smoothing": 0.5},
        {"label_smoothing": -0.1},
        {"length_norm": "yes"},
        {"per": "token"},
        {"kind": "dpo"},
    ],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(ConfigError):
        contrastive_loss(**{"kind": "pairwise", **scores(), **wrong})


def test_names_in_settings_and_registered_losses_are_equal():
    assert tuple(CONTRASTIVE_LOSSES) == config.LOSSES
    assert all(each.paper and each.description for each in CONTRASTIVE_LOSSES.values())


def test_a_new_loss_is_one_function_and_one_name(monkeypatch):
    """It can be chosen in settings, on the command line and in the form, and is computed."""
    monkeypatch.setattr(losses, "CONTRASTIVE_LOSSES", dict(CONTRASTIVE_LOSSES))
    monkeypatch.setattr(config, "LOSSES", (*config.LOSSES, "hinge"))

    @losses.loss("hinge", "a margin of 1 between the two", paper="arXiv 2305.10425")
    def hinge(r_chosen, r_rejected, mask, weights=None, smoothing=0.0):
        return ((1 - r_chosen[:, None] + r_rejected).clamp_min(0) * mask).sum(1) / mask.sum(1)

    field = setting_field(config.CapoConfig, "loss")
    assert "hinge" in field.choices  # what a form offers
    assert "hinge" in help_of(field)  # what `train capo --help` says
    assert config.CapoConfig(loss="hinge").to_dict()["loss"] == "hinge"
    one, none = torch.ones(1), torch.zeros(1, 1)
    found = contrastive_loss(
        "hinge", one, none, torch.zeros(1), none, torch.ones(1, 1, dtype=torch.bool),
        chosen_tokens=one, rejected_tokens=torch.ones(1, 1), beta=0.25,
    )  # fmt: skip
    assert float(found.loss) == pytest.approx(1 - 0.25)
