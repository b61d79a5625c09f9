"""What kinds of runs there are: a request's settings (JSON) → the functions that do the work.

The command line's foreground commands and the workers of the queue call the same functions.
Imports of the computations are inside the functions: a page that lists runs needs none of them.

Settings of every kind but "rehearsal":

    dataset       its name in the catalog
    fingerprint   what it must still be; "" takes it as it is

and of each kind:

    train_sft     target, base, config (`SftConfig`)
    train_capo    target, sft (run id), config (`CapoConfig`)
    profile       targets, base or server, config (`profile.ProfileConfig`)
    generate      targets, base or server, config (`GenerateConfig`), adapters (run ids of
                  trainings), profiles (run id of a profile run)
    evaluate      runs (run ids of generations), judges (run ids of judges), config (of a
                  `TableConfig`)
    judge         runs (run ids of generations; may be none), base or server or guess (true),
                  split (where there are no runs), config (`JudgeConfig`)
    retention     run (run id of a training), target, text (a file of general text), config
                  (`RetentionConfig`)
    estimate      judgments (id), base or server, by, samples, config (`EstimateConfig`)
    softlabel     judgments (id), sets (name → id), config (`SoftLabelConfig`)

`precision` and `batch_tokens` may be given for a base that writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from capo_core.errors import CapoError, ConfigError, DataError, RunError
from capo_core.imitation.run_folder import RunFolder
from capo_core.jobs import distribution_runs, judge_run, profile_run, retention_run
from capo_core.jobs.rehearsal import rehearse
from capo_core.jobs.request import Request
from capo_core.progress import Progress
from capo_core.workspace import Workspace

Settings = Mapping[str, Any]
BATCH_TOKENS = 16384  # computed at once by a base that writes, where nothing else is asked
Work = Callable[[Settings, Workspace, RunFolder, Progress], str]


@dataclass(frozen=True)
class RunKind:
    """One kind of run.

    Attributes:
        label: for a person.
        work: does it, and says in one sentence what came of it.
        settings: the settings it takes, and what each must be.
        check: looks at them without doing anything; raises a `CapoError`.
    """

    label: str
    work: Work
    settings: Mapping[str, type | tuple[type, ...]]
    check: Callable[[Settings], object]


def check(request: Request) -> None:
    """Look at a request before anything is done with it.

    Raises:
        RunError: the kind is not known, or its settings are not what it takes; it says which.
        ConfigError: a value is out of its range.
    """
    kind = kind_of(request)
    with _readable(request.kind):
        strange = sorted(set(request.settings) - set(kind.settings))
        if strange:
            raise RunError(
                f"{request.kind} takes no setting {strange[0]!r}",
                expected=f"some of {', '.join(sorted(kind.settings))}",
            )
        for name, value in request.settings.items():
            if not isinstance(value, kind.settings[name]):
                raise RunError(f"the setting {name} is {value!r}", where=request.kind)
        kind.check(request.settings)


def kind_of(request: Request) -> RunKind:
    kind = RUN_KINDS.get(request.kind)
    if kind is None:
        raise RunError(
            f"there is no run of kind {request.kind!r}", expected=f"one of {sorted(RUN_KINDS)}"
        )
    return kind


def do(request: Request, workspace: Workspace, folder: RunFolder, progress: Progress) -> str:
    """Do what is asked, in this process; what came of it, in one sentence."""
    check(request)
    return kind_of(request).work(request.settings, workspace, folder, progress)


def target_of(settings: Settings) -> str:
    """Who is imitated, for the name of a run: one annotator, several, or "all"."""
    targets = settings.get("targets") or [settings.get("target") or "all"]
    return "+".join(map(str, targets)) if len(targets) < 4 else "all"


def method_of(request: Request) -> str:
    """The method a run belongs to, for tables: "sft", "capo", "zero_shot", …; "" for none."""
    if request.kind == "generate":
        return str(request.settings.get("config", {}).get("method", ""))
    return {"train_sft": "sft", "train_capo": "capo", "profile": "profile"}.get(request.kind, "")


def load_dataset(settings: Settings, workspace: Workspace):
    """The dataset of a run, which must be what it was when the run was asked for."""
    from capo_core.data.catalog import Catalog

    dataset = Catalog(workspace).load(settings["dataset"])
    if settings.get("fingerprint") and dataset.fingerprint != settings["fingerprint"]:
        raise DataError(
            f"'{dataset.name}' is not the dataset any more that the run was asked for",
            todo="ask for the run again",
        )
    return dataset


def _train_sft(settings, workspace, folder, progress) -> str:
    from capo_core.evaluation.probe import probe_for
    from capo_core.imitation.sft import train_sft

    dataset = load_dataset(settings, workspace)
    config = _sft_config(settings)
    return _trained(
        train_sft(dataset, settings["target"], config, settings["base"], folder,
                  progress=progress, scorer=probe_for(dataset, config))
    )  # fmt: skip


def _train_capo(settings, workspace, folder, progress) -> str:
    from capo_core.evaluation.probe import probe_for
    from capo_core.imitation.capo import train_capo

    dataset = load_dataset(settings, workspace)
    sft = RunFolder(workspace.runs / settings["sft"])
    cache = workspace.cache / "reference"
    config = _capo_config(settings)
    return _trained(
        train_capo(dataset, settings["target"], config, sft, folder, cache=cache,
                   progress=progress, scorer=probe_for(dataset, config))
    )  # fmt: skip


def _trained(result) -> str:
    loss = (
        "" if result.validation_loss is None else f", validation loss {result.validation_loss:.3f}"
    )
    return f"trained in {result.steps} steps{loss}"


def _generate(settings, workspace, folder, progress) -> str:
    from capo_core.imitation.generate import generate
    from capo_core.imitation.trained import check_base, trained

    dataset, config = load_dataset(settings, workspace), _generate_config(settings)
    targets = settings["targets"]
    adapters, texts, embed = {}, {}, None
    progress("reading the model", 0.0)
    backend = backend_of(settings)
    if config.trained:
        runs = [RunFolder(workspace.runs / name) for name in settings["adapters"]]
        found = trained(runs, config.method, targets, dataset)
        check_base(found, backend.fingerprint, backend.name)
        adapters, config = found.adapters, replace(config, named=found.named)
    if config.method == "profile":
        source = RunFolder(workspace.runs / settings["profiles"])
        texts = profile_run.texts_of(source, targets)
    if config.method == "icl" and config.how == "nearest":
        from capo_core.text.embed import Embedder

        embed = Embedder(workspace.cache)
    frame = generate(
        dataset, targets, config, backend, folder,
        adapters=adapters, profiles=texts, embed=embed, progress=progress,
    )  # fmt: skip
    readable = int((frame["parsed"] == "true").sum())
    return f"{len(frame)} answers, {readable} of them readable"


def _profile(settings, workspace, folder, progress) -> str:
    dataset = load_dataset(settings, workspace)
    progress("reading the model", 0.0)
    config, backend = _profile_config(settings), backend_of(settings)
    return profile_run.write_profiles(
        dataset, settings["targets"], config, backend, workspace, folder, progress
    )


def _evaluate(settings, workspace, folder, progress) -> str:
    from capo_core.jobs.evaluation_run import evaluate_runs

    dataset = load_dataset(settings, workspace)
    return evaluate_runs(dataset, settings, workspace, folder, progress)


def _judge(settings, workspace, folder, progress) -> str:
    dataset = load_dataset(settings, workspace)
    progress("reading the model", 0.0)
    backend = judge_run.guesser() if settings.get("guess") else backend_of(settings)
    return judge_run.judge_runs(dataset, settings, backend, workspace, folder, progress)


def _retention(settings, workspace, folder, progress) -> str:
    dataset = load_dataset(settings, workspace)
    return retention_run.measure_retention(dataset, settings, workspace, folder, progress)


def _rehearsal(settings, workspace, folder, progress) -> str:
    return rehearse(settings, folder, progress)


def backend_of(settings: Settings):
    """The model that answers: a server where one is named, else a base on this machine.

    The server's address and key come from the environment of the process, never from a file.
    """
    if settings.get("server"):
        from capo_core.imitation.backends.openai_server import ServerBackend
        from capo_core.imitation.backends.server_settings import from_environment

        return ServerBackend(from_environment(settings["server"]))
    from capo_core.imitation.backends.hf import HfBackend
    from capo_core.imitation.model import load_base

    base = load_base(settings["base"], precision=settings.get("precision", "auto"))
    return HfBackend(base, batch_tokens=settings.get("batch_tokens", BATCH_TOKENS))


def _sft_config(settings: Settings):
    from capo_core.imitation.config import SftConfig

    return SftConfig.from_dict(settings["config"])


def _capo_config(settings: Settings):
    from capo_core.imitation.config import CapoConfig

    return CapoConfig.from_dict(settings["config"])


def _generate_config(settings: Settings):
    from capo_core.imitation.generate_config import GenerateConfig

    config = GenerateConfig(**settings["config"])
    if config.trained and not settings.get("adapters"):
        raise ConfigError(f"{config.method} needs the adapters of finished trainings")
    if config.method == "profile" and not settings.get("profiles"):
        raise ConfigError("the method profile needs a run that wrote the profiles")
    if not settings.get("base") and not settings.get("server"):
        raise ConfigError("no model is named", expected="a base, or a server's model")
    return config


def _profile_config(settings: Settings):
    from capo_core.imitation.profile import ProfileConfig

    return ProfileConfig(**settings["config"])


def _evaluation_config(settings: Settings):
    # The rest is looked at when it begins: it would load the statistics for a mere list of runs.
    if not settings["runs"]:
        raise ConfigError("no runs are named to evaluate")
    strange = sorted(set(settings["config"]) - {"views", "pool", "seed", "families"})
    if strange:
        raise ConfigError(f"there is no setting {strange[0]!r} in an evaluation")


def _judge_config(settings: Settings):
    judge_run.config_of(settings["config"])
    if sum(bool(settings.get(name)) for name in ("base", "server", "guess")) != 1:
        raise ConfigError("who judges?", expected="a base, or a server's model, or a guess")


@contextmanager
def _readable(where: str):
    """What a value of the wrong type raises somewhere, as what it is: settings to be mended."""
    try:
        yield
    except CapoError:
        raise
    except KeyError as error:
        raise RunError(f"the setting {error.args[0]!r} is missing", where=where) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"the settings cannot be used ({error})", where=where, todo="mend them, or ask anew"
        ) from None


_DATA = {"dataset": str, "fingerprint": str}
_MODEL = {"base": str, "server": str, "precision": str, "batch_tokens": int}
RUN_KINDS: dict[str, RunKind] = {
    "train_sft": RunKind(
        "SFT", _train_sft, {**_DATA, "target": str, "base": str, "config": dict}, _sft_config
    ),
    "train_capo": RunKind(
        "CAPO", _train_capo, {**_DATA, "target": str, "sft": str, "config": dict}, _capo_config
    ),
    "profile": RunKind(
        "Profiles", _profile, {**_DATA, **_MODEL, "targets": list, "config": dict}, _profile_config
    ),
    "generate": RunKind(
        "Answers",
        _generate,
        {**_DATA, **_MODEL, "targets": list, "config": dict, "adapters": list, "profiles": str},
        _generate_config,
    ),
    "evaluate": RunKind(
        "Evaluation",
        _evaluate,
        {**_DATA, "runs": list, "judges": list, "config": dict},
        _evaluation_config,
    ),
    "judge": RunKind(
        "Judge",
        _judge,
        {**_DATA, **_MODEL, "runs": list, "guess": bool, "split": str, "config": dict},
        _judge_config,
    ),
    "retention": RunKind(
        "Retention",
        _retention,
        {
            **{**_DATA, "run": str, "target": str, "text": str, "config": dict},
            **{"precision": str, "batch_tokens": int},
        },
        retention_run.check,
    ),
    "estimate": RunKind(
        "Estimate",
        distribution_runs.estimate,
        distribution_runs.ESTIMATE_SETTINGS,
        distribution_runs.check_estimate,
    ),
    "softlabel": RunKind(
        "Soft labels",
        distribution_runs.soft_labels,
        distribution_runs.SOFT_LABEL_SETTINGS,
        distribution_runs.check_soft_labels,
    ),
    "rehearsal": RunKind(
        "Rehearsal",
        _rehearsal,
        {
            "dataset": str,
            "steps": int,
            "step_s": (int, float),
            "fail": str,
            "seed": int,
            "full_disk_at": int,
            "hold_at": int,
        },
        lambda settings: settings["steps"],
    ),
}
