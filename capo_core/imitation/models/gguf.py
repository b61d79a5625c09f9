"""Model files in the format GGUF: their description, and conversion to safetensors.

transformers reads the file, dequantises the weights and refuses to save what it read; the refusal
is lifted here, since what is saved is a plain model in another number format.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capo_core.errors import ConfigError, Stopped
from capo_core.imitation.models.errors import out_of_memory
from capo_core.imitation.prompting.prompts import PLAIN_END
from capo_core.progress import Progress, silent

MAGIC = b"GGUF"
# The weights are stored in bf16: half the size of fp32. For SmolLM2, over 1,251 tokens of VariErr's
# inputs, both give 3.918 nats per token, and their predictions differ by 0.0001 nats (KL).
DTYPE = "bfloat16"
BYTES_PER_PARAMETER = 2


@dataclass(frozen=True)
class GgufFile:
    """Description of a model in its GGUF file.

    Attributes:
        architecture: "llama", "gemma3", …
        title: the model's name in the file; "" where it has none.
        licence: likewise.
        parameters: number of weights.
        vocabulary: number of tokens.
        quantised: number format of most weights, such as "Q4_1"; "" where they are plain numbers.
    """

    path: Path
    architecture: str
    title: str
    licence: str
    parameters: int
    vocabulary: int
    quantised: str

    @property
    def converted_bytes(self) -> int:
        """Size of the converted weights."""
        return self.parameters * BYTES_PER_PARAMETER


@dataclass(frozen=True)
class Converted:
    """Result of a conversion.

    Attributes:
        parameters: of the model as transformers counts them.
        notes: what was added or changed, as sentences.
    """

    parameters: int
    notes: tuple[str, ...]


def read_gguf(path: Path) -> GgufFile:
    """Return the description of a GGUF file.

    Raises:
        ConfigError: there is no such file, it is no GGUF, it is truncated or damaged, or its
            architecture is none that transformers reads.
    """
    path = path.expanduser()
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise ConfigError(f"the file cannot be read ({error.strerror})", where=str(path)) from None
    if start != MAGIC:
        raise ConfigError(
            "this is not a GGUF file", where=str(path), expected="a file that begins with 'GGUF'"
        )
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        found = {name: _text(reader, f"general.{name}") for name in ("architecture", "name",
                                                                     "license")}  # fmt: skip
        tokens = reader.get_field("tokenizer.ggml.tokens")
        vocabulary = len(tokens.data) if tokens is not None else 0
        weights: dict[str, int] = {}
        for tensor in reader.tensors:
            kind = tensor.tensor_type.name
            weights[kind] = weights.get(kind, 0) + int(tensor.n_elements)
    except Exception as error:  # numpy, enum and struct each raise their own at a damaged file
        raise ConfigError(
            "the GGUF file is truncated or damaged",
            where=str(path),
            todo="download or copy it again",
        ) from error
    if not weights or not vocabulary:
        missing = "weights" if not weights else "tokenizer"
        raise ConfigError(f"the GGUF file holds no {missing}", where=str(path))
    _check_architecture(path, found["architecture"])
    most = max(weights, key=weights.__getitem__)
    return GgufFile(
        path,
        found["architecture"],
        found["name"],
        found["license"],
        sum(weights.values()),
        vocabulary,
        "" if most in ("F64", "F32", "F16", "BF16") else most,
    )


def _text(reader: Any, name: str) -> str:
    field = reader.get_field(name)
    return str(field.contents()) if field is not None else ""


def _check_architecture(path: Path, architecture: str) -> None:
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES as KNOWN

    # Encoder-decoders do not write text from left to right.
    readable = set(KNOWN) - {"general", "tokenizer", "t5", "umt5"}
    # transformers spells some with an underscore that files do not have.
    if architecture.replace("-", "_") not in {
        *readable,
        *(each.replace("_", "") for each in readable),
    }:
        raise ConfigError(
            f"the installed transformers cannot read the architecture {architecture!r} from GGUF",
            where=str(path),
            expected=f"one of {', '.join(sorted(readable))}",
            todo="import the model as a folder in Hugging Face's format (safetensors) instead",
        )


def convert_gguf(file: GgufFile, target: Path, progress: Progress = silent) -> Converted:
    """Write the model of a GGUF file to `target`: safetensors in bf16, tokenizer, chat template.

    A tokenizer without a chat template gets one that writes what this project writes for models
    without one (the message, then "Answer:"); one without a padding token pads with its end token.

    Raises:
        ConfigError: the file cannot be read, it lacks weights, or the tokenizer has no end token.
        OSError, SafetensorError: `target` cannot be written.
        Stopped: from `progress`.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from capo_core.imitation.models.base_files import check_base_model
    from capo_core.imitation.models.base_model import quiet_transformers

    folder, where = str(file.path.parent), str(file.path)
    progress("Reading the tokenizer", 0.0)
    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer = AutoTokenizer.from_pretrained(
                folder, gguf_file=file.path.name, local_files_only=True
            )
    except Exception as error:  # a damaged vocabulary raises many kinds
        raise _unreadable("the tokenizer", where, error) from error
    tokenizer = _without_invented_tokens(tokenizer, file.vocabulary)
    notes = _complete(tokenizer, where)
    progress("Reading the weights", 0.2)
    try:
        with quiet_transformers(), _tensor_progress(progress, 0.2, 0.8):
            model, found = AutoModelForCausalLM.from_pretrained(
                folder,
                gguf_file=file.path.name,
                local_files_only=True,
                dtype=getattr(torch, DTYPE),
                output_loading_info=True,
            )
    except Stopped:
        raise
    except Exception as error:  # as many kinds as there are ways to be damaged
        if out_of_memory(error):
            raise ConfigError(
                "there is not enough memory to convert this model",
                where=where,
                todo="choose a smaller model, or convert it on a machine with more memory",
            ) from error
        raise _unreadable("the model", where, error) from error
    # What is missing would be drawn at random, and never noticed.
    lost = sorted([*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])])
    if lost:
        raise ConfigError(
            f"the file lacks {len(lost)} of the model's weights, for instance {lost[0]}",
            where=where,
            todo="the file may be damaged, or of a variant that transformers does not read",
        )
    progress("Writing the model", 0.85)
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    with quiet_transformers():
        model.save_pretrained(target, safe_serialization=True)
        tokenizer.save_pretrained(target)
    check_base_model(target)
    progress("Writing the model", 1.0)
    return Converted(sum(each.numel() for each in model.parameters()), notes)


def _without_invented_tokens(tokenizer: Any, vocabulary: int) -> Any:
    """Return the tokenizer without tokens that the file does not have.

    transformers adds a class's usual begin or unknown token where the file names none; the model
    has no embedding for it.
    """
    import json

    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    if len(tokenizer) <= vocabulary:
        return tokenizer
    raw = json.loads(tokenizer.backend_tokenizer.to_str())
    raw["added_tokens"] = [each for each in raw["added_tokens"] if each["id"] < vocabulary]
    known = {
        name: token
        for name, token in tokenizer.special_tokens_map.items()
        if isinstance(token, str) and tokenizer.convert_tokens_to_ids(token) < vocabulary
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(raw)),
        chat_template=tokenizer.chat_template,
        clean_up_tokenization_spaces=False,
        **known,
    )


def _complete(tokenizer: Any, where: str) -> tuple[str, ...]:
    """Add a chat template and a padding token where they are missing; return notes about it."""
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            "the tokenizer has no end-of-text token",
            where=where,
            todo="choose a model whose tokenizer defines eos_token",
        )
    notes = []
    if not tokenizer.chat_template:
        tokenizer.chat_template = plain_template(tokenizer)
        notes.append(
            "The file has no chat template: one was added that writes the message and then "
            "“Answer:” on a line of its own."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
        notes.append("The file has no padding token: the end token is used, and masked.")
    return tuple(notes)


def plain_template(tokenizer: Any) -> str:
    """Return a chat template that writes the same text as a prompt without one."""
    ids = tokenizer("a")["input_ids"]
    begins = tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id]
    end = PLAIN_END.replace("\n", "\\n")
    return (
        ("{{ bos_token }}" if begins else "")
        + "{% for message in messages %}{% if message['role'] == 'assistant' %}"
        + "{{ message['content'] + eos_token + '\\n\\n' }}{% else %}"
        + f"{{{{ message['content'] + '{end}' }}}}"
        + "{% endif %}{% endfor %}"
    )


@contextmanager
def _tensor_progress(progress: Progress, start: float, end: float) -> Iterator[None]:
    """Report each tensor that transformers reads, in place of its own bar on stderr."""
    from transformers import modeling_gguf_pytorch_utils as reading

    own = reading.tqdm

    def counted(tensors: Any, *_: Any, **__: Any) -> Iterator[Any]:
        total = max(1, len(tensors))
        for number, tensor in enumerate(tensors):
            progress("Reading the weights", start + (end - start) * number / total)
            yield tensor

    reading.tqdm = counted
    try:
        yield
    finally:
        reading.tqdm = own


def _unreadable(what: str, where: str, error: Exception) -> ConfigError:
    words = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return ConfigError(
        f"{what} cannot be read from this GGUF file ({words})",
        where=where,
        todo="download or copy it again; if that does not help, transformers does not read it",
    )
