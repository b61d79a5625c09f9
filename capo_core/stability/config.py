"""Settings of a stability report."""

from __future__ import annotations

from capo_core.errors import ConfigError
from capo_core.settings import setting, settings
from capo_core.text.embeddings import DEFAULT_MODEL
from capo_core.text.reductions import REDUCTIONS
from capo_core.text.representations import REPRESENTATIONS
from capo_core.workspace import content_hash

_LATER = ("min_explanations", "max_explanations")  # settings that the first reports did not have


@settings("Stability report")
class StabilityConfig:
    """Settings of a report; the report is a function of the dataset, these and the code version."""

    representations: tuple[str, ...] = setting(
        ("embedding", "words", "stylometry"),
        "Representations",
        "Representations of the explanations in which annotators are attributed.",
        choices=lambda: tuple(REPRESENTATIONS),
    )
    reductions: tuple[str, ...] = setting(
        title="Reductions",
        description="Input-content reductions that are applied to each representation.",
        default_factory=lambda: tuple(REDUCTIONS),
        choices=lambda: tuple(REDUCTIONS),
    )
    pool: tuple[int, ...] = setting(
        (1, 2, 4, 8, 16, 32),
        "Explanations pooled",
        "Numbers of explanations of one annotator that are attributed together.",
        ge=1,
        le=1024,
    )
    seeds: int = setting(
        5, "Partitions", "Random partitions into folds that are averaged.",
        ge=1, le=100, usual=(1, 20),
    )  # fmt: skip
    folds: int = setting(5, "Folds", "Folds of each cross-validation.", ge=2, le=50)
    groupings: int = setting(
        3, "Groupings", "Ways in which each partition is cut into groups.", ge=1, le=100
    )
    permutations: int = setting(
        1000,
        "Permutations",
        "Shuffles of annotators within items for the permutation null; a p-value is at least "
        "1 / (1 + permutations). Controls and the stricter null use 200 at most.",
        ge=0,
        le=100_000,
        step=100,
        usual=(0, 10_000),
    )
    draws: int = setting(
        200,
        "Draws",
        "Random halvings of the split-half reliability, and random groups of the unsupervised "
        "separation.",
        ge=20,
        le=10_000,
    )
    null_rows: int = setting(
        4000,
        "Explanations in the null",
        "The null is computed on randomly chosen whole items with at most this many explanations, "
        "so that its cost is bounded for large data.",
        ge=100,
        le=5000,
    )
    min_explanations: int = setting(
        10,
        "Minimum explanations",
        "Annotators with fewer explanations are shown (label use, agreement) but not attributed.",
        ge=1,
        le=100_000,
        usual=(1, 100),
    )
    max_explanations: int = setting(
        0,
        "Maximum explanations",
        "Whole items are drawn at random up to this many explanations; 0 takes all. The quick "
        "report takes 20,000.",
        ge=0,
        le=10_000_000,
        step=1000,
    )
    controls: bool = setting(True, "Controls", "Whether the controls are computed.")
    seed: int = setting(0, "Random seed", "Random seed.", ge=0, le=2**31)
    raw: bool = setting(
        False,
        "Raw text",
        "Keep case, outer spaces and final periods: typing habits that identify an annotator "
        "without being style.",
    )
    embedding_model: str = setting(
        DEFAULT_MODEL,
        "Embedding model",
        "A sentence-transformers model, by name or folder.",
    )

    def __post_init__(self) -> None:
        for name, known in (("representations", REPRESENTATIONS), ("reductions", REDUCTIONS)):
            chosen = getattr(self, name)
            if not chosen:
                raise ConfigError(f"{name} are empty", expected=f"some of {', '.join(known)}")
            # Always in the registry's order, so that equal wishes are equal configurations.
            object.__setattr__(self, name, tuple(value for value in known if value in chosen))
        if not self.pool:
            raise ConfigError("pool is empty", expected="numbers from 1 to 1,024")
        object.__setattr__(self, "pool", tuple(sorted(set(self.pool))))

    @property
    def key(self) -> str:
        """Name of this configuration in the workspace.

        Settings of later builds count where they are changed, so that former reports are found.
        """
        said = self.to_dict()
        usual = StabilityConfig().to_dict()
        for name in _LATER:
            if said[name] == usual[name]:
                del said[name]
        return content_hash(said)[:16]

    @property
    def coverage(self) -> int:
        """Amount that is computed; of several reports the one with the most is shown first."""
        points = len(self.representations) * len(self.reductions) * len(self.pool)
        return points * self.seeds * max(1, self.permutations)


# The first report of a dataset: the claim in its shortest form, with controls, in about a minute.
QUICK = StabilityConfig(
    representations=("embedding", "words"),
    reductions=("none", "mask_input"),
    pool=(1, 2, 4, 8, 16),
    seeds=1,
    permutations=200,
    draws=50,
    max_explanations=20_000,
)
