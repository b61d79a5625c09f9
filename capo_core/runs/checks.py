"""Settings of each kind of run: their names and types, and the configurations made of them.

`check` is called before a run is submitted, listed or executed.
Settings of every kind but "dummy", "calibration", "model" and "preflight":

    dataset       its name in the catalog
    fingerprint   the required content hash; "" accepts the current content

and of each kind:

    train_sft     target, base, config (`SftConfig`)
    train_capo    target, sft (run id), config (`CapoConfig`)
    profile       targets, base or server, config (`ProfileConfig`)
    generate      targets, base or server, config (`GenerateConfig`), adapters (run ids of
                  trainings), profiles (run id of a profile run)
    evaluate      runs (run ids of generations), judges (run ids of LLM judges), authors (run ids of
                  SFT trainings, for attribution by likelihood), config (of a
                  `TableConfig`)
    judge         runs (run ids of generations; may be none), base or server or guess (true),
                  split (where there are no runs), config (`LlmJudgeConfig`)
    retention     run (run id of a training), target, text (a file of general text), config
                  (`RetentionConfig`)
    estimate      judgments (id), base or server, by, samples, config (`EstimateConfig`),
                  adapter (run id of a training), annotator (of the adapter or of the label prior),
                  allow_embedded (use the embedded base model on texts it does not know)
    softlabel     judgments (id), sets (name → id), config (`SoftLabelConfig`)
    stability     config (`StabilityConfig`)
    calibration   config (`CalibrationConfig`)
    authors       runs (of SFT) and answers (generations), config (`AuthorsConfig`)
    leaderboard   board and track (of `leaderboards.boards`)
    model         name (of the registry), source ("index", "hub" or a file), accept_terms
    preflight     kind and settings of the run to be checked
    dummy         see `kinds.dummy`

`precision` and `batch_tokens` are optional settings for a base model that generates. Configurations
are imported inside the functions, so that a page that lists runs stays light.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from capo_core.errors import CapoError, ConfigError, RunError
from capo_core.runs.request import KINDS, RunRequest

Settings = Mapping[str, Any]

WORDS = "words"  # `distributions.option_prompts.WORDS`, which is not imported for a mere list
LOGITS, LOG_PROBABILITIES, SAMPLING = "logits", "logprobs", "sampling"
BY = (LOGITS, LOG_PROBABILITIES, SAMPLING)


def check(request: RunRequest) -> None:
    """Check a request's kind, and the names, types and values of its settings.

    Raises:
        RunError: the kind is not known, or its settings are not what it takes; it says which.
        ConfigError: a value is out of its range.
    """
    if request.kind not in KINDS:
        raise RunError(
            f"there is no run of kind {request.kind!r}", expected=f"one of {sorted(KINDS)}"
        )
    types, check_values = SETTINGS[request.kind]
    with _readable(request.kind):
        strange = sorted(set(request.settings) - set(types))
        if strange:
            raise RunError(
                f"{request.kind} takes no setting {strange[0]!r}",
                expected=f"some of {', '.join(sorted(types))}",
            )
        for name, value in request.settings.items():
            if not isinstance(value, types[name]):
                raise RunError(f"the setting {name} is {value!r}", where=request.kind)
        check_values(request.settings)


@contextmanager
def _readable(where: str):
    """Turn what a value of the wrong type raises into an error that names the settings."""
    try:
        yield
    except CapoError:
        raise
    except KeyError as error:
        raise RunError(f"the setting {error.args[0]!r} is missing", where=where) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"the settings cannot be used ({error})",
            where=where,
            todo="correct the settings, or submit the run again",
        ) from None


def training_config(kind: str, settings: Settings):
    """Return the configuration in the settings of a run of `kind`, "train_sft" or "train_capo"."""
    from capo_core.imitation.training.config import CapoConfig, SftConfig

    config = SftConfig if kind == "train_sft" else CapoConfig
    return config.from_dict(settings["config"])


def profile_config(settings: Settings):
    """Return the `ProfileConfig` of a run's settings."""
    from capo_core.imitation.prompting.value_profiles import ProfileConfig

    return ProfileConfig(**settings["config"])


def generate_config(settings: Settings):
    """Return the `GenerateConfig` of a run's settings.

    Raises:
        ConfigError: adapters, profiles or a model that the method needs are not named.
    """
    from capo_core.imitation.generation.requests import GenerateConfig

    config = GenerateConfig(**settings["config"])
    if config.trained and not settings.get("adapters"):
        raise ConfigError(f"{config.method} needs the adapters of finished trainings")
    if config.method == "profile" and not settings.get("profiles"):
        raise ConfigError("the method profile needs a run that wrote the profiles")
    if not settings.get("base") and not settings.get("server"):
        raise ConfigError("no model is named", expected="a base model, or a server's model")
    return config


def table_config(settings: Settings):
    """Return the `TableConfig` of an evaluation; families that are not named are all scored."""
    from capo_core.evaluation.compute import EVERYTHING
    from capo_core.evaluation.table import TableConfig

    return TableConfig.from_dict({**EVERYTHING.to_dict(), **settings["config"]})


def judge_config(settings: Settings):
    """Return the `LlmJudgeConfig` of a run's settings."""
    from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig

    return LlmJudgeConfig(**settings["config"])


def retention_config(settings: Settings):
    """Return the `RetentionConfig` of a run's settings."""
    from capo_core.evaluation.retention import RetentionConfig

    return RetentionConfig.from_dict(settings["config"])


def estimate_config(settings: Settings):
    """Return the `EstimateConfig` of a run's settings."""
    from capo_core.distributions.estimate import EstimateConfig

    return EstimateConfig(**settings["config"])


def soft_label_config(settings: Settings):
    """Return the `SoftLabelConfig` of a run's settings."""
    from capo_core.distributions.soft_label_data import SoftLabelConfig

    return SoftLabelConfig.from_dict(settings["config"])


# The fields of `TableConfig`, which is not imported for a mere list of runs: it would load the
# statistics. A test holds the two equal.
EVALUATION_SETTINGS = frozenset(
    ("views", "pool", "seed", "families", "duplicate", "annotator_kind", "margin", "alpha_margin")
)


def _check_evaluation(settings: Settings) -> None:
    # The values are checked when it begins.
    if not settings["runs"]:
        raise ConfigError("no runs are named to evaluate")
    strange = sorted(set(settings["config"]) - EVALUATION_SETTINGS)
    if strange:
        raise ConfigError(f"there is no setting {strange[0]!r} in an evaluation")


def _check_judge(settings: Settings) -> None:
    judge_config(settings)
    if sum(bool(settings.get(name)) for name in ("base", "server", "guess")) != 1:
        raise ConfigError(
            "name exactly one LLM judge", expected="a base model, a server's model, or guess"
        )


def _check_retention(settings: Settings) -> None:
    retention_config(settings)
    if not settings["run"] or not settings["target"]:
        raise ConfigError("retention needs a finished training and its target annotator")


def _check_estimate(settings: Settings) -> None:
    config = estimate_config(settings)
    by = settings["by"]
    if by not in BY:
        raise ConfigError(f"by is {by!r}", expected=f"one of {', '.join(BY)}")
    if bool(settings.get("server")) == bool(settings.get("base")):
        raise ConfigError("name exactly one model", expected="a base model, or a server's model")
    if by == LOGITS and settings.get("server"):
        raise ConfigError(
            "a server gives no logits",
            todo="use its log-probabilities (--by logprobs), or samples (--by sampling)",
        )
    if by == LOG_PROBABILITIES and settings.get("base"):
        raise ConfigError("a model on this machine gives logits", todo="use --by logits")
    if config.options == WORDS and by != LOGITS:
        raise ConfigError(
            "label words are scored by a model on this machine only",
            option="--options",
            todo="use letters as options, or a base model (--base)",
        )
    if settings.get("adapter") and config.options != WORDS:
        raise ConfigError(
            f"an adapter is not asked with {config.options} as options",
            option="--options",
            expected="words: adapters were trained to write the label words",
        )
    if config.label_prior != "none" and not settings.get("annotator"):
        raise ConfigError(
            "no annotator is named whose training labels are the prior",
            option="--annotator",
            expected="an annotator, or 'all' for the training labels of all annotators",
        )
    settings["judgments"]  # a KeyError says which setting is missing


def _check_soft_labels(settings: Settings) -> None:
    soft_label_config(settings)
    if not settings["judgments"] or not all(settings["sets"].values()):
        raise ConfigError("the sets to train and to score on are not named")


def _check_model(settings: Settings) -> None:
    from capo_core.imitation.models.registry import KNOWN_MODELS

    if settings["name"] not in KNOWN_MODELS or not KNOWN_MODELS[settings["name"]].files:
        raise ConfigError(f"there is no base model {settings['name']!r} to get")


def _check_steps(settings: Settings) -> None:
    settings["steps"]  # a KeyError says that it is missing


def _check_preflight(settings: Settings) -> None:
    if settings["kind"] not in KINDS:
        raise ConfigError(f"there is no run of kind {settings['kind']!r}")
    settings["settings"]  # a KeyError says that it is missing


def _check_stability(settings: Settings) -> None:
    from capo_core.stability.config import StabilityConfig

    StabilityConfig.from_dict(settings["config"])


def _check_calibration(settings: Settings) -> None:
    from capo_core.stability.calibration import CalibrationConfig

    CalibrationConfig.from_dict(settings["config"])


def _check_leaderboard(settings: Settings) -> None:
    from capo_core.leaderboards.boards import check_track, find_board

    check_track(find_board(settings["board"]), settings["track"])


def _check_authors(settings: Settings) -> None:
    from capo_core.evaluation.authors.result import AuthorsConfig

    AuthorsConfig.from_dict(settings["config"])


Types = Mapping[str, type | tuple[type, ...]]
_DATA: Types = {"dataset": str, "fingerprint": str}
_LOCAL: Types = {"precision": str, "batch_tokens": int}
_MODEL: Types = {"base": str, "server": str, **_LOCAL}

# By kind: the type of each setting, and a function that raises where a value will not do.
SETTINGS: dict[str, tuple[Types, Callable[[Settings], object]]] = {
    "train_sft": (
        {**_DATA, "target": str, "base": str, "config": dict},
        partial(training_config, "train_sft"),
    ),
    "train_capo": (
        {**_DATA, "target": str, "sft": str, "config": dict},
        partial(training_config, "train_capo"),
    ),
    "profile": ({**_DATA, **_MODEL, "targets": list, "config": dict}, profile_config),
    "generate": (
        {**_DATA, **_MODEL, "targets": list, "config": dict, "adapters": list, "profiles": str},
        generate_config,
    ),
    "evaluate": (
        {**_DATA, "runs": list, "judges": list, "authors": list, "config": dict},
        _check_evaluation,
    ),
    "judge": (
        {**_DATA, **_MODEL, "runs": list, "guess": bool, "split": str, "config": dict},
        _check_judge,
    ),
    "retention": (
        {**_DATA, **_LOCAL, "run": str, "target": str, "text": str, "config": dict},
        _check_retention,
    ),
    "estimate": (
        {
            **{"dataset": str, **_MODEL},
            **{"judgments": str, "by": str, "samples": int, "config": dict},
            **{"adapter": str, "annotator": str, "allow_embedded": bool},
        },
        _check_estimate,
    ),
    "softlabel": (
        {"dataset": str, "judgments": str, "sets": dict, "config": dict},
        _check_soft_labels,
    ),
    "stability": ({**_DATA, "config": dict}, _check_stability),
    "calibration": ({"config": dict}, _check_calibration),
    "authors": ({**_DATA, "runs": list, "answers": list, "config": dict}, _check_authors),
    "leaderboard": ({**_DATA, "board": str, "track": str}, _check_leaderboard),
    "model": ({"name": str, "source": str, "accept_terms": bool}, _check_model),
    "preflight": ({"kind": str, "settings": dict}, _check_preflight),
    "dummy": (
        {
            **{"dataset": str, "steps": int, "step_s": (int, float), "fail": str, "seed": int},
            **{"full_disk_at": int, "hold_at": int},
        },
        _check_steps,
    ),
}
