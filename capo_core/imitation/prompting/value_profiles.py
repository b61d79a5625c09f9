"""Value profiles: a model describes an annotator from examples: label bias, manner, rules.

Text that a model wrote in another form is saved with its problem, and never used as a profile.
Profiles are in the workspace under `profiles/<dataset fingerprint>/<name>.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from capo_core.dataset import Dataset
from capo_core.errors import BackendUnavailable, ConfigError, DataError
from capo_core.formatting import quoted_names
from capo_core.imitation.backends.base import (
    Backend,
    Decoding,
    GenerationRequest,
    Reply,
    max_new_tokens_setting,
    temperature_setting,
    top_p_setting,
)
from capo_core.imitation.generation.requests import longest_fit, seed_of
from capo_core.imitation.prompting.examples import ExamplePool
from capo_core.imitation.prompting.prompts import (
    FIRST_VERSION,
    PROFILE_BEGINS,
    PROFILE_PARTS,
    PROFILE_SECTIONS,
    Example,
    Prompt,
    PromptStyle,
    ask_for_profile,
)
from capo_core.progress import Progress, part_of, silent
from capo_core.settings import setting, settings
from capo_core.task import Task
from capo_core.workspace import Workspace, content_hash, write_json


@dataclass(frozen=True)
class ReadProfile:
    """A profile's text in the required form, or the reason why there is none.

    Attributes:
        text: one line for each of `PROFILE_PARTS`, or the sections of `PROFILE_SECTIONS` with
            numbered rules, in their order; empty where there is a problem.
        problem: empty where the text is in form.
    """

    text: str
    problem: str = ""


def read_profile(written: str) -> ReadProfile:
    """Return the profile in `written`: each part once, in any order, none of them empty.

    Thinking blocks and prose before the first part, marks of emphasis and of lists do not count.
    Lines below a part's first one belong to it, up to an empty line after the last part.

    >>> print(read_profile("Labels: any.\\nRules: hedge").problem)
    the part 'Manner:' is missing
    """
    answer = written.rpartition("</think>")[2]
    if "<think>" in answer:
        return ReadProfile("", "only thinking")
    sections = _begins(answer, PROFILE_SECTIONS)
    names = PROFILE_SECTIONS if sections else PROFILE_PARTS
    begins = sections or _begins(answer, PROFILE_PARTS)
    if not begins:
        return ReadProfile("", "none of the parts is there" if answer.strip() else "empty")
    parts: dict[str, str] = {}
    for begin, end in zip(begins, [*begins[1:], None], strict=True):
        name = f"{begin[1].capitalize()}:"
        content = answer[begin.end() : end.start() if end else len(answer)]
        rules = name == PROFILE_SECTIONS[-1]
        if end is None:
            # Numbered rules may stand apart from each other.
            more = r"\n\s*\n(?!\W*\d+[.)])" if rules else r"\n\s*\n"
            content = re.split(more, content.lstrip(), maxsplit=1)[0]
        content = re.sub(r"[*#`]+", " ", content)
        content = numbered_rules(content) if rules else " ".join(content.split())
        if name in parts:
            return ReadProfile("", f"the part {name!r} occurs twice")
        if not re.search(r"[^\W\d]", content):
            return ReadProfile("", f"the part {name!r} is empty")
        parts[name] = content
    missing = [part for part in names if part not in parts]
    if missing:
        return ReadProfile("", f"the part {missing[0]!r} is missing")
    space = {name: "\n" if name == PROFILE_SECTIONS[-1] else " " for name in names}
    return ReadProfile("\n".join(f"{part}{space[part]}{parts[part]}" for part in names))


def numbered_rules(text: str) -> str:
    """Return the rules in `text`, one a line and numbered from 1; repeated ones once."""
    lines = [line for line in text.splitlines() if line.strip()]
    rules: list[str] = []
    for line in lines:
        mark = re.match(r"^\s*(?:\d+[.)]|[-•])\s*", line)
        bare = " ".join(line[mark.end() :].split() if mark else line.split())
        if mark or not rules:
            rules.append(bare)
        else:  # goes on from the line before
            rules[-1] = f"{rules[-1]} {bare}".strip()
    unique = dict.fromkeys(rule for rule in rules if re.search(r"\w", rule))
    return "\n".join(f"{number}. {rule}" for number, rule in enumerate(unique, 1))


def _begins(answer: str, parts: Sequence[str]) -> list[re.Match]:
    names = "|".join(re.escape(part.rstrip(":")) for part in parts)
    mark = rf"^\W*(?:\d+[.)]\W*)?\b({names})\b\W{{0,2}}:"
    return list(re.finditer(mark, answer, re.MULTILINE | re.IGNORECASE))


@settings("Value profile")
class ProfileConfig:
    """Settings of the generation of a value profile."""

    examples: int = setting(
        50,
        "Profile examples",
        "The number of the annotator's training responses the model reads.",
        ge=1,
        le=500,
    )
    seed: int = setting(
        42, "Random seed", "Random seed of the draw of the examples and of the sampling.", ge=0
    )
    temperature: float = temperature_setting(0.2)
    top_p: float = top_p_setting()
    max_new_tokens: int = max_new_tokens_setting(400)
    tries: int = setting(
        12,
        "Max attempts",
        "Attempts, each with other examples, until the model writes in the required form.",
        ge=1,
        le=20,
    )


@dataclass(frozen=True)
class ProfileVersion:
    """An earlier text of a profile, and when it was written (UTC)."""

    text: str
    made: str


@dataclass(frozen=True)
class ValueProfile:
    """A profile of an annotator, with its provenance.

    Attributes:
        dataset, fingerprint: source of the training responses.
        model, model_fingerprint: the model that wrote it.
        example_items: the items whose responses were in the prompt, in order; fewer than in the
            settings if the model's context is too short.
        text: in the form of `ReadProfile`; empty if the model did not follow the format.
        problem: problem of the model's last attempt; empty for none.
        raw: each attempt of the model, unmodified.
        made: when the text was written (UTC).
        edited: a person has changed the text.
        earlier: former texts, the oldest first.
    """

    dataset: str
    fingerprint: str
    annotator: str
    model: str
    model_fingerprint: str
    settings: dict
    example_items: tuple[str, ...]
    text: str
    problem: str
    raw: tuple[str, ...]
    made: str
    edited: bool = False
    earlier: tuple[ProfileVersion, ...] = ()

    @property
    def name(self) -> str:
        """The name of its file: the same annotator, model and settings have one profile."""
        return content_hash(self.annotator, self.model_fingerprint, self.settings)[:16]

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict) -> ValueProfile:
        return cls(
            **{
                **raw,
                "example_items": tuple(raw["example_items"]),
                "raw": tuple(raw["raw"]),
                "earlier": tuple(ProfileVersion(**each) for each in raw["earlier"]),
            }
        )


def write_profile(
    dataset: Dataset,
    annotator: str,
    backend: Backend,
    config: ProfileConfig,
    *,
    progress: Progress = silent,
) -> ValueProfile:
    """Generate a profile, with retries if the model does not follow the format.

    Each attempt has other examples: a small model fails at the same ones repeatedly, whatever the
    seed.

    Raises:
        ConfigError: unknown annotator, too few training responses, or not one example fits into
            the model's context.
        BackendUnavailable: the model is not available.
    """
    decoding = Decoding(config.temperature, config.top_p, config.max_new_tokens)
    # A model whose answer can be begun fills in the lines one after another.
    begun = backend.scores_labels and backend.prompt_version > FIRST_VERSION
    style = PromptStyle(backend.prompt_version, form=not begun)
    raw: list[str] = []
    text = problem = ""
    shown: Sequence[Example] = ()
    for k in range(config.tries):
        seed = seed_of(config.seed, "profile", annotator, str(k))
        pool = ExamplePool(dataset, annotator, seed=seed if k else config.seed)
        prompt, shown = _prompt(dataset, pool.choose(config.examples), backend, decoding, style)
        request = GenerationRequest(f"profile-{k}", prompt, seed=seed)
        if begun:
            reply = _by_parts(dataset.task, backend, request, decoding, progress)
        else:
            reply = _ask(backend, request, decoding, progress)
        raw.append(reply.text)
        read = read_profile(reply.text)
        text, problem = read.text, reply.error or read.problem
        if reply.finish == "length" and not problem:
            text, problem = "", f"cut after {config.max_new_tokens} tokens"
        if not problem:
            break
    return ValueProfile(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        annotator=annotator,
        model=backend.name,
        model_fingerprint=backend.fingerprint,
        settings=asdict(config),
        example_items=tuple(each.item.item_id for each in shown),
        text=text,
        problem=problem,
        raw=tuple(raw),
        made=_now(),
    )


LINE_TOKENS = 80  # of a part, or of a rule, at most


def _by_parts(
    task: Task,
    backend: Backend,
    request: GenerationRequest,
    decoding: Decoding,
    progress: Progress,
) -> Reply:
    """Return a profile whose lines are begun for the model (`PROFILE_BEGINS`)."""
    line = replace(decoding, max_new_tokens=min(LINE_TOKENS, decoding.max_new_tokens))
    labels, text, reply = ", ".join(task.scale.labels), "", Reply("")
    for k, begin in enumerate(PROFILE_BEGINS):
        part = part_of(progress, k / len(PROFILE_BEGINS), (k + 1) / len(PROFILE_BEGINS))
        begin = begin.format(labels=labels)
        text += f"\n{begin}" if text else begin
        asked = replace(request, begin=text, seed=seed_of(request.seed, "part", str(k)))
        reply = _ask(backend, asked, line, part)
        written = reply.text.strip()
        if reply.finish == "length" and re.search(r"[.!?]\s", written):
            written = written[: [end.end() for end in re.finditer(r"[.!?]\s", written)][-1]]
        text += f" {written.strip()}"
    return replace(reply, text=text, finish="stop")


def _prompt(
    dataset: Dataset,
    examples: Sequence[Example],
    backend: Backend,
    decoding: Decoding,
    style: PromptStyle,
) -> tuple[Prompt, Sequence[Example]]:
    """Return the prompt and its examples: the last ones that fit into the model's context."""
    prompt, shown, excess = longest_fit(
        lambda some: ask_for_profile(dataset.task, some, style=style),
        examples,
        backend,
        decoding,
    )
    if excess:
        raise ConfigError(
            f"not even one example and a profile of {decoding.max_new_tokens} tokens fit into the "
            f"model's context; {excess} tokens are too many",
            where=backend.name,
            todo="ask for a shorter profile, or choose another model",
        )
    return prompt, examples[len(examples) - shown :]


PROFILE_FORM = (
    "the parts 'Label bias:', 'Explanation manner:' and 'Imitation rules:' with numbered rules, or "
    "three lines that begin with 'Labels:', 'Manner:' and 'Rules:'"
)


def edit(profile: ValueProfile, text: str) -> ValueProfile:
    """Return the profile with a person's text, marked as edited; the earlier text is preserved.

    Raises:
        ConfigError: the text has not the three parts.
    """
    read = read_profile(text)
    if read.problem:
        raise ConfigError(
            f"the text is no profile: {read.problem}",
            expected=PROFILE_FORM,
        )
    if read.text == profile.text:
        return profile
    before = (ProfileVersion(profile.text, profile.made),) if profile.text else ()
    return replace(
        profile,
        text=read.text,
        problem="",
        made=_now(),
        edited=True,
        earlier=(*profile.earlier, *before),
    )


def usable_text(profile: ValueProfile) -> str:
    """Return the text for prompts; `ConfigError` if the model did not follow the form."""
    if profile.problem or not profile.text:
        raise ConfigError(
            f"the profile of annotator {profile.annotator!r} by {profile.model!r} cannot be used: "
            f"{profile.problem or 'it is empty'}",
            where=profile.dataset,
            todo="write it again with another seed, or edit it (profile edit)",
        )
    return profile.text


def _ask(
    backend: Backend, request: GenerationRequest, decoding: Decoding, progress: Progress
) -> Reply:
    for _, reply in backend.complete([request], decoding, progress=progress):
        return reply
    raise BackendUnavailable(f"{backend.name} gave no answer")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def save_profile(profile: ValueProfile, workspace: Workspace) -> Path:
    """Save the profile, in place of one with the same annotator, model and settings."""
    path = _folder(profile.fingerprint, workspace) / f"{profile.name}.json"
    write_json(path, profile.to_dict())
    return path


def saved_profiles(
    dataset: Dataset, workspace: Workspace, annotator: str = ""
) -> list[ValueProfile]:
    """Return all profiles of the dataset's annotators, or of one, the newest first.

    Raises:
        DataError: a file is damaged.
    """
    found = []
    for path in sorted(_folder(dataset.fingerprint, workspace).glob("*.json")):
        try:
            profile = ValueProfile.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                "the profile cannot be read",
                where=str(path),
                todo="move the file away, and write the profile again",
            ) from error
        if annotator in ("", profile.annotator):
            found.append(profile)
    return sorted(found, key=lambda profile: profile.made, reverse=True)


def find_saved(
    dataset: Dataset, annotator: str, backend: Backend, config: ProfileConfig, workspace: Workspace
) -> ValueProfile | None:
    """Return the usable profile with the same model and settings, edited or not."""
    for profile in saved_profiles(dataset, workspace, annotator):
        same = (profile.model_fingerprint, profile.settings) == (
            backend.fingerprint,
            asdict(config),
        )
        if same and profile.text:
            return profile
    return None


def select_profile(
    dataset: Dataset, annotator: str, workspace: Workspace, *, model: str = ""
) -> ValueProfile:
    """Return the only profile of `annotator`, by the given model if one is named.

    Raises:
        ConfigError: there is none, or more than one.
    """
    found = saved_profiles(dataset, workspace, annotator)
    fitting = [profile for profile in found if model in ("", profile.model)]
    if len(fitting) == 1:
        return fitting[0]
    by = f" by {model!r}" if model else ""
    if not fitting:
        raise ConfigError(
            f"there is no profile of annotator {annotator!r}{by}",
            where=dataset.name,
            expected=_models(found) if found else None,
            todo=f"write one: python -m capo_core profile write --dataset {dataset.name} "
            f"--annotator {annotator}",
        )
    raise ConfigError(
        f"there are {len(fitting)} profiles of annotator {annotator!r}{by}: "
        + "; ".join(f"{each.name} by {each.model}, {each.made}" for each in fitting),
        where=dataset.name,
        todo="name the model (--by), or take the others out of "
        f"{_folder(dataset.fingerprint, workspace)}",
    )


def _folder(fingerprint: str, workspace: Workspace) -> Path:
    return workspace.root / "profiles" / fingerprint[:16]


def _models(found: Sequence[ValueProfile]) -> str:
    return f"a profile by {quoted_names(dict.fromkeys(profile.model for profile in found))}"
