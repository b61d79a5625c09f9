"""The card that lies beside an adapter: what it is, from what, and how good."""

from __future__ import annotations

from typing import Any


def adapter_card(asked: dict[str, Any], result: dict[str, Any]) -> str:
    """README.md of an adapter, from its run's configuration and outcome."""
    dataset, base, settings = asked["dataset"], asked["base"], asked["settings"]
    whom = "all annotators, each named in the prompt" if settings["shared"] else asked["target"]
    stage = {"sft": "SFT", "capo": "CAPO"}[asked["stage"]]
    shown = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    lines = [
        "---",
        "library_name: peft",
        f"tags: [capo-lab, {asked['stage']}, lora]",
        "---",
        "",
        f"# {stage} adapter: {whom}, {dataset['name']}",
        "",
        f"A LoRA adapter that answers as the annotator would: {whom}.",
        "",
        "| | |",
        "|---|---|",
        *_rows(
            {
                "run": result["run_id"],
                "base model": f"{base['name']} ({base['fingerprint'][:12]})",
                "dataset": dataset["name"],
                "dataset fingerprint": dataset["fingerprint"],
                "split": dataset["split"][:12],
                **({"SFT run": asked["sft"]["run"]} if "sft" in asked else {}),
                "training items": result["training_items"],
                "validation items": result["validation_items"],
                "steps": f"{result['steps']} of {result['planned_steps']}",
                "kept state": f"after step {result['kept_step']}",
                "validation loss": _number(result["validation_loss"]),
                **{
                    name.replace("_", " "): _number(value)
                    for name, value in result["figures"].items()
                },
                "engine": result["engine"],
                "time": f"{result['seconds']:.0f} s",
            }
        ),
        "",
        "Figures are of the validation part of the data; the test part was not looked at.",
        "",
        "## Left out",
        "",
        *(f"- {reason}: {count}" for reason, count in result["skipped"].items()),
        f"- responses cut to {settings['max_tokens']} tokens: {result['cut']} "
        f"of {result['responses']}",
        "",
        "## Settings",
        "",
        *(f"- {name}: {value}" for name, value in shown.items()),
        *(
            f"- {group} {name}: {value}"
            for group, values in settings.items()
            if isinstance(values, dict)
            for name, value in values.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _rows(values: dict[str, Any]) -> list[str]:
    return [f"| {name} | {str(value).replace('|', '/')} |" for name, value in values.items()]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
