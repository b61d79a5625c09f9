"""With one rejected response a whole CAPO training is TRL's DPO, weight by weight."""

import torch
from helpers.tiny_training import capo_config, sft_config, tiny_base, tiny_dataset
from peft import PeftModel
from safetensors.torch import load_file

from capo_core.imitation.models.adapters import WEIGHTS, adapter_weights
from capo_core.imitation.models.base_model import load_base_model
from capo_core.imitation.pairs.build import PairsConfig, build_pairs
from capo_core.imitation.prompting.prompts import prompt_text, write_response, zero_shot
from capo_core.imitation.prompting.responses import item_of, responses
from capo_core.imitation.training.capo import train_capo
from capo_core.imitation.training.examples import TokenLimits, capo_examples
from capo_core.imitation.training.sft import train_sft
from capo_core.run_folder import RunFolder

RATE = 5e-4


def test_sixteen_steps_give_the_weights_of_trl(tmp_path):
    base_name = tiny_base(tmp_path / "base")
    dataset = tiny_dataset(16, 0, 2)
    sft = RunFolder(tmp_path / "sft")
    train_sft(dataset, "A", sft_config(), base_name, sft)
    config = capo_config(
        epochs=4,  # of 4 steps
        items_per_step=4,
        learning_rate=RATE,
        schedule="constant",
        warmup_share=0,
        shuffle=False,
        pairs=PairsConfig(max_rejected=1),
    )
    ours = RunFolder(tmp_path / "capo")
    assert train_capo(dataset, "A", config, sft, ours).steps == 16

    theirs, losses, ids = _trl(dataset, base_name, sft, config, tmp_path)
    base = load_base_model(base_name)
    limits = TokenLimits(base.tokenizer, config.max_tokens, named=False)
    for contrast, row in zip(
        capo_examples(dataset, ["A"], config, limits).contrasts, ids, strict=True
    ):
        rendered = contrast.rendered  # the same tokens, or the rest would compare nothing
        assert rendered.prompt == tuple(row["prompt_ids"])
        assert rendered.responses[0] == tuple(row["chosen_ids"])
        assert rendered.responses[1] == tuple(row["rejected_ids"])
    for event, loss in zip(ours.events("step"), losses, strict=True):
        assert abs(event["loss"] - loss) < 1e-5
    start, end = load_file(sft.adapter / WEIGHTS), load_file(ours.adapter / WEIGHTS)
    assert end.keys() == theirs.keys()
    moved = max((end[name] - start[name]).abs().max().item() for name in end)
    assert moved > 16 * RATE / 4  # the comparison is of a training that went somewhere
    assert max((end[name] - theirs[name]).abs().max().item() for name in end) < 1e-5


def _trl(dataset, base_name, sft, config, folder):
    """The adapter, the losses and the tokens of TRL's DPOTrainer on the same pairs."""
    from datasets import Dataset as Rows
    from torch.utils.data import SequentialSampler
    from trl import DPOConfig, DPOTrainer

    class InOrder(DPOTrainer):
        def _get_train_sampler(self, *args, **kwargs):
            return SequentialSampler(self.train_dataset)

    base = load_base_model(base_name)
    known = {each.annotation_id: each for each in responses(dataset)}
    pairs = build_pairs(dataset, "A", config.pairs).frame
    rows = [
        {
            "prompt": prompt_text(
                zero_shot(dataset.task, item_of(dataset, pair.item_id)), base.tokenizer
            ),
            **{
                side: write_response(known[name].label, known[name].explanation)
                for side, name in (
                    ("chosen", pair.chosen_annotation_id),
                    ("rejected", pair.rejected_annotation_id),
                )
            },
        }
        for pair in pairs.itertuples()
    ]
    model = PeftModel.from_pretrained(base.model, str(sft.adapter), is_trainable=True)
    settings = DPOConfig(
        output_dir=str(folder / "trl"),
        beta=config.beta,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        warmup_steps=0,
        weight_decay=0.0,
        max_grad_norm=config.max_grad_norm,
        num_train_epochs=4,
        per_device_train_batch_size=4,
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_length=None,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = InOrder(
        model, args=settings, train_dataset=Rows.from_list(rows), processing_class=base.tokenizer
    )
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    weights = {name: each.detach().clone() for name, each in adapter_weights(model).items()}
    assert all(each.dtype == torch.float32 for each in weights.values())
    return weights, losses, list(trainer.train_dataset)
