"""The decoders with ALiBi, whose scores fall with the distance of a key, and without other positions: BLOOM and MPT."""

from __future__ import annotations

from collections.abc import Mapping

from pofx.models.pretrained.checkpoint.architecture import Architecture, Layer, Norm, Stored
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered, alibi_slopes, divided

_BLOOM = Stored(
    base="transformer.",
    layer="h.{}.",
    embed="word_embeddings",
    norm_embed="word_embeddings_layernorm",
    norm="ln_f",
    qkv=("self_attention.query_key_value",),
    out="self_attention.dense",
    up=("mlp.dense_h_to_4h",),
    down="mlp.dense_4h_to_h",
    by_head=True,
)
# Fields of the published configs that the library does not read.
_OF_TRAINING = (
    "attention_softmax_in_fp32",
    "bias_dropout_fusion",
    "masked_softmax_fusion",
    "offset_alibi",
    "skip_bias_add",
    "skip_bias_add_qkv",
    "n_inner",
)
_MPT = Stored(
    base="transformer.",
    layer="blocks.{}.",
    embed="wte",
    norm="norm_f",
    qkv=("attn.Wqkv",),
    out="attn.out_proj",
    up=("ffn.up_proj",),
    down="ffn.down_proj",
    norm_in="norm_1",
    norm_mid="norm_2",
)


def read_bloom(f: Fields) -> Architecture:
    """Read a config of BLOOM."""
    # The published configs have the first name of each two, which the library prefers.
    width = f.optional("n_embed") or f.whole("hidden_size")
    heads = f.optional("num_attention_heads") or f.whole("n_head")
    layers = f.optional("num_hidden_layers") or f.whole("n_layer")
    for one, other in (
        ("n_embed", "hidden_size"),
        ("num_attention_heads", "n_head"),
        ("num_hidden_layers", "n_layer"),
    ):
        if None not in (f.given(one), f.given(other)) and f.given(one) != f.given(other):
            raise NotCovered(one)
    f.only("apply_residual_connection_post_layernorm", False)
    f.only("slow_but_exact", False)
    for unread in _OF_TRAINING:
        f.given(unread)
    dim = divided(width, heads)
    return Architecture(
        stored=_BLOOM,
        rows=f.whole("vocab_size", 250_880),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=dim,
        layers=(Layer(),) * layers,
        context=f.whole("seq_length", 2048),
        norm=Norm("layer", f.number("layer_norm_epsilon", 1e-5)),
        scale=dim**-0.5,
        activation="gelu_tanh",
        tied=f.truth("tie_word_embeddings", True),
        gated=False,
        slopes=alibi_slopes(heads),
    )


def read_mpt(f: Fields) -> Architecture:
    """Read a config of MPT."""
    width, heads = f.whole("d_model", 2048), f.whole("n_heads", 16)
    dim = divided(width, heads)
    attention = f.given("attn_config") or {}
    if not isinstance(attention, Mapping):
        raise NotCovered("attn_config")
    a = Fields(attention)
    a.only("attn_type", "multihead_attention")
    for name in ("prefix_lm", "qk_ln", "attn_uses_sequence_id"):
        a.only(name, False)
    a.only("alibi", True)
    a.given("attn_impl")
    clip = a.given("clip_qkv")
    scale = a.optional_number("softmax_scale") or dim**-0.5
    a.only("alibi_bias_max", 8)  # the library has 8 whatever the field says
    a.finish()
    f.given("expansion_ratio")  # the library has 4, and the tensors decide the size of the MLP
    f.given("learned_pos_emb")  # the library has no learned positions
    f.only("no_bias", True)
    f.only("embedding_fraction", 1.0)
    f.only("norm_type", "low_precision_layernorm")
    return Architecture(
        stored=_MPT,
        rows=f.whole("vocab_size", 50368),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=dim,
        layers=(Layer(),) * f.whole("n_layers", 24),
        context=f.whole("max_seq_len", 2048),
        norm=Norm("layer", f.number("layer_norm_epsilon", 1e-5)),
        scale=scale,
        activation="gelu",
        tied=f.truth("tie_word_embeddings", True),
        gated=False,
        slopes=alibi_slopes(heads),
        clip=a.number("clip_qkv") if clip else None,
    )
