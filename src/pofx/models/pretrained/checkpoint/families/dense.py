"""Later decoders that differ from Llama in norms, MLP or scales: Phi-3, StarCoder2, OLMo, Granite, GLM, and others."""

from __future__ import annotations

from dataclasses import replace

from pofx.models.pretrained.checkpoint.architecture import Architecture, Layer, Norm, Stored
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered
from pofx.models.pretrained.checkpoint.families.llama import (
    FULL,
    QK_NORMED,
    SLIDING,
    head_size,
    layer_kinds,
    llama_like,
)
from pofx.models.pretrained.checkpoint.families.rotary import LONGROPE, given_rope, read_rope, rope_of

PHI3 = {"max_position_embeddings": 4096, "original_max_position_embeddings": 4096}
STARCODER2 = {"num_key_value_heads": 2, "max_position_embeddings": 4096}
OLMO3 = {"sliding_window": 4096}
GLM = {"num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131_072}
NEMOTRON = {"max_position_embeddings": 4096}
EXAONE4 = {"num_key_value_heads": 32, "sliding_window": 4096, "sliding_window_pattern": 4}
HELIUM = {"num_key_value_heads": 20, "head_dim": 128, "max_position_embeddings": 4096}
ARCEE = {"max_position_embeddings": 4096}
SEED_OSS = {"num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 524_288}
ERNIE = {"num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131_072}
_OLMO3_THETA = 500_000.0
_PHI3 = Stored(qkv=("self_attn.qkv_proj",), up=("mlp.gate_up_proj",))
_PLAIN = Stored(up=("mlp.c_fc",), down="mlp.c_proj")
_OLMO2 = replace(
    QK_NORMED,
    norm_in=None,
    norm_mid=None,
    norm_attended="post_attention_layernorm",
    norm_mlp="post_feedforward_layernorm",
)
_GLM = Stored(up=("mlp.gate_up_proj",), interleaved=True)
_GLM4 = replace(_GLM, norm_attended="post_self_attn_layernorm", norm_mlp="post_mlp_layernorm")


def read_phi3(f: Fields) -> Architecture:
    """Read a config of Phi-3 or Phi-4, with plain rotary positions or LongRoPE."""
    given = given_rope(f)
    if given.get("rope_type", given.get("type", "default")) not in ("default", *LONGROPE):
        raise NotCovered("rope_type")
    f.optional("original_max_position_embeddings")
    for name in ("attention_bias", "mlp_bias", "lm_head_bias"):
        f.only(name, False)
    layer = Layer(f.optional("sliding_window"), rope=read_rope(f, head_size(f)))
    return llama_like(f, stored=_PHI3, layers=(layer,) * f.whole("num_hidden_layers"), eps=1e-5)


def read_starcoder2(f: Fields) -> Architecture:
    """Read a config of StarCoder2."""
    f.truth("use_bias", True)
    f.only("mlp_type", "default")
    f.only("norm_type", "layer_norm")
    for unread in ("activation_function", "layer_norm_epsilon"):  # names that the library does not use
        f.given(unread)
    layer = Layer(f.optional("sliding_window"), rope=read_rope(f, head_size(f)))
    return llama_like(
        f,
        stored=_PLAIN,
        layers=(layer,) * f.whole("num_hidden_layers"),
        norm=Norm("layer", f.number("norm_epsilon", 1e-5)),
        tied=True,
        hidden_act="gelu_pytorch_tanh",
        gated=False,
    )


def read_olmo(f: Fields) -> Architecture:
    """Read a config of OLMo 1, whose norms have no weights."""
    f.truth("attention_bias", False)
    return llama_like(f, norm=Norm("layer", 1e-5, weighted=False), clip=f.optional_number("clip_qkv"))


def read_olmo2(f: Fields) -> Architecture:
    """Read a config of OLMo 2, which normalises the outputs of attention and MLP, and all heads of q and of k together."""
    f.truth("attention_bias", False)
    return llama_like(f, stored=_OLMO2, eps=1e-5, qk_norm="whole")


def read_olmo3(f: Fields) -> Architecture:
    """Read a config of OLMo 3; in the older form of the config only the layers without a window have the scaling."""
    n, dim, window = f.whole("num_hidden_layers"), head_size(f), f.optional("sliding_window")
    f.truth("attention_bias", False)
    new, old = f.given("rope_parameters"), f.given("rope_scaling")
    theta = f.number("rope_theta", _OLMO3_THETA)
    if new is None and theta == _OLMO3_THETA:
        given = {FULL: old or {}, SLIDING: {}}
    elif isinstance(new, dict) and old is None and set(new) == {FULL, SLIDING}:
        given = new
    else:
        raise NotCovered("rope_parameters")
    if not all(isinstance(g, dict) for g in given.values()):
        raise NotCovered("rope_parameters")
    ropes = {kind: rope_of(g, f, dim, theta) for kind, g in given.items()}
    kinds = layer_kinds(f, [SLIDING if (i + 1) % 4 else FULL for i in range(n)])
    layers = tuple(Layer(window if kind == SLIDING else None, rope=ropes[kind]) for kind in kinds)
    return llama_like(f, stored=_OLMO2, layers=layers, eps=1e-5, qk_norm="whole")


def read_granite(f: Fields) -> Architecture:
    """Read a config of Granite, with its factors of q·k, of embeddings, of residuals and of logits."""
    f.truth("attention_bias", False)
    f.truth("mlp_bias", False)
    return llama_like(
        f,
        scale=f.number("attention_multiplier", 1.0),
        embed=f.number("embedding_multiplier", 1.0),
        residual=f.number("residual_multiplier", 1.0),
        logit_scale=1.0 / f.number("logits_scaling", 1.0),
    )


def read_glm(f: Fields) -> Architecture:
    """Read a config of GLM-4 9B."""
    f.truth("attention_bias", True)
    return llama_like(f, stored=_GLM, part=0.5, eps=1.5625e-7)


def read_glm4(f: Fields) -> Architecture:
    """Read a config of GLM-4 0414, which also normalises the outputs of attention and MLP."""
    f.truth("attention_bias", False)
    return llama_like(f, stored=_GLM4, part=0.5, eps=1.5625e-7)


def read_nemotron(f: Fields) -> Architecture:
    """Read a config of Nemotron or Minitron."""
    f.truth("attention_bias", False)
    f.truth("mlp_bias", False)
    return llama_like(
        f,
        stored=Stored(up=("mlp.up_proj",)),
        norm=Norm("layer", f.number("norm_eps", 1e-5), plus_one=True),
        part=0.5,
        hidden_act="relu2",
        gated=False,
    )


def read_ernie(f: Fields) -> Architecture:
    """Read a config of ERNIE 4.5."""
    f.truth("use_bias", False)
    return llama_like(f, stored=Stored(interleaved=True), theta=500_000.0, tied=True, eps=1e-5)


def read_exaone4(f: Fields) -> Architecture:
    """Read a config of EXAONE 4; if some layers have a window, the other layers have no rotary positions."""
    n, window = f.whole("num_hidden_layers"), f.optional("sliding_window")
    rope, kinds = read_rope(f, head_size(f)), [FULL] * n
    pattern = f.given("sliding_window_pattern")
    if window is not None:
        if type(pattern) is not int or pattern < 1:
            raise NotCovered("sliding_window_pattern")
        kinds = [SLIDING if (i + 1) % pattern else FULL for i in range(n)]
    layers = tuple(
        Layer(window, rope=rope) if kind == SLIDING else Layer(None, rope=rope if window is None else None)
        for kind in layer_kinds(f, kinds)
    )
    return llama_like(f, stored=_OLMO2, layers=layers, eps=1e-5, qk_norm="heads")


def read_helium(f: Fields) -> Architecture:
    """Read a config of Helium."""
    f.truth("attention_bias", False)
    f.truth("mlp_bias", False)
    return llama_like(f, stored=Stored(interleaved=True), theta=100_000.0, eps=1e-8)


def read_arcee(f: Fields) -> Architecture:
    """Read a config of Arcee's AFM."""
    f.truth("attention_bias", False)
    f.truth("mlp_bias", False)
    return llama_like(f, stored=Stored(up=("mlp.up_proj",)), hidden_act="relu2", gated=False, eps=1e-5)


def read_seed_oss(f: Fields) -> Architecture:
    """Read a config of Seed-OSS."""
    for name, usual in (("attention_bias", True), ("attention_out_bias", False), ("mlp_bias", False)):
        f.truth(name, usual)
    return llama_like(f)
