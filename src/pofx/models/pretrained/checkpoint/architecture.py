"""The numbers of a decoder, and the names of its tensors in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["silu", "gelu", "gelu_tanh", "gelu_quick", "relu", "relu_squared"]


@dataclass(frozen=True)
class Rope:
    """Rotary positions.

    Attributes:
        theta: The base of the frequencies θ^(−2i/d).
        kind: The way in which the frequencies are scaled for long contexts. "longrope" divides each by a factor of its own.
        factor: The factor of the scaling.
        low: Wavelengths above `original / low` are scaled by `factor` ("llama3"). The rotations within `original` tokens
            below which a frequency is divided by `factor` ("yarn").
        high: Wavelengths below `original / high` are not scaled ("llama3"). The rotations above which a frequency is kept
            ("yarn").
        original: The context in tokens before the scaling ("llama3", "yarn").
        dim: The number of dimensions of a head that turn; None for all.
        amplitude: The factor of cos and sin ("yarn", "longrope").
        whole: Whether the bounds of the ramp are rounded to whole dimensions ("yarn").
        factors: The number by which each frequency is divided ("longrope").
        longest: The longest text in tokens that has these frequencies; None for any length.
    """

    theta: float
    kind: Literal["default", "linear", "llama3", "yarn", "longrope"] = "default"
    factor: float = 1.0
    low: float = 1.0
    high: float = 4.0
    original: int = 8192
    dim: int | None = None
    amplitude: float = 1.0
    whole: bool = True
    factors: tuple[float, ...] = ()
    longest: int | None = None


@dataclass(frozen=True)
class Norm:
    """The normalisation of a state.

    Attributes:
        kind: "rms" divides by √(mean x² + ε). "layer" also subtracts the mean before.
        eps: The ε.
        plus_one: Whether gains are stored less 1 (Gemma, Nemotron).
        weighted: Whether there are gains; OLMo 1 has none.
    """

    kind: Literal["rms", "layer"]
    eps: float
    plus_one: bool = False
    weighted: bool = True


@dataclass(frozen=True)
class Experts:
    """A mixture of experts in place of an MLP.

    Attributes:
        count: The number of experts.
        chosen: The number of experts that read a token.
        scores: The function of the router's logits: softmax or sigmoid over all experts, or the softmax over the chosen
            experts alone.
        renormalised: Whether the weights of the chosen experts are divided by their sum.
        shared: Whether a shared expert reads every token, too.
        groups: The number of groups of experts. A group counts by its best expert, or by its best two with the sigmoid.
        chosen_groups: The number of groups of which experts are chosen.
        factor: The factor of the weights of the chosen experts.
        of_input: Whether the weight of an expert multiplies what the expert reads, and not what it returns (Llama 4).
    """

    count: int
    chosen: int
    scores: Literal["softmax", "sigmoid", "softmax of chosen"] = "softmax"
    renormalised: bool = False
    shared: bool = False
    groups: int = 1
    chosen_groups: int = 1
    factor: float = 1.0
    of_input: bool = False


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention.

    Attributes:
        kept: The size of the state of which keys and values are made.
        turning: How many numbers of a query and of a key turn: the last in a checkpoint, and the first in the decoder.
        value: The size of a value of a head, which is at most that of a key.
    """

    kept: int
    turning: int
    value: int


@dataclass(frozen=True)
class Layer:
    """The properties that differ between layers.

    Attributes:
        window: How many keys a query sees, its own included; None for all earlier keys.
        chunk: The c of chunks of c tokens, where a query sees the keys of its own chunk; None for no chunks (Llama 4).
        growth: The s and f of the factor 1 + s·ln(1 + ⌊(position + 1)/f⌋) of queries; None for no such factor (Llama 4).
        rope: The rotary positions; None for a layer without rotary positions.
        scale: The factor of q·k; None for the factor of the architecture.
        experts: The mixture of experts; None for an MLP.
    """

    window: int | None = None
    chunk: int | None = None
    growth: tuple[float, int] | None = None
    rope: Rope | None = None
    scale: float | None = None
    experts: Experts | None = None


@dataclass(frozen=True)
class Stored:
    """The names and the layouts of the tensors of a checkpoint. A role without a name is absent from the decoder.

    Attributes:
        base: The name before the tensors of the body, which some checkpoints leave out.
        layer: The name before the tensors of layer {}.
        embed: The embedding.
        positions: The learned positions.
        skipped: The number of first rows of `positions` that stand for no position (OPT).
        norm_embed: The norm of the embedding (BLOOM).
        project_in: The matrix from the embedding to the states (OPT-350m).
        project_out: The matrix from the states to the head (OPT-350m).
        norm: The norm before the head.
        head: The head.
        qkv: The matrices of queries, keys and values, or one matrix of all. With latent attention: those of queries (from
            the latent, after the matrix to the latent), to the latent of keys and values, and from this latent.
        out: The matrix after the attention.
        up: The matrices of gate and up, or one matrix of both, or the matrix of a plain MLP.
        down: The matrix after the activation.
        norm_in: The norm before the attention.
        norm_mid: The norm before the MLP.
        norm_q: The norm of the queries, or of their latent.
        norm_k: The norm of the keys, or of their latent.
        norm_attended: The norm of the output of the attention, before it is added.
        norm_mlp: The norm of the output of the MLP, before it is added.
        norm_after_attention: The norm of the sum after the attention (OPT-350m).
        norm_after_mlp: The norm of the sum after the MLP (OPT-350m).
        router: The matrix of the router of experts.
        choice_bias: What is added to the scores of experts for the choice alone (DeepSeek V3).
        expert: The name before the tensors of expert {}.
        expert_up: The matrices of gate and up of an expert.
        expert_down: The matrix after the activation of an expert.
        all_up: The tensor of the matrices of gate and up of all experts (Granite, gpt-oss). The name of its bias ends in
            "_bias", as for `all_down`.
        all_down: The tensor of the matrices after the activation of all experts.
        all_transposed: Whether the matrices of all experts are stored as `[in, out]` (gpt-oss).
        all_in_turn: Whether the rows of gate and up of all experts alternate (gpt-oss).
        shared: The name before the tensors of the shared expert.
        shared_gate: The matrix of the gate of the shared expert (Qwen 2).
        transposed: Whether matrices are stored as `[in, out]` (GPT-2).
        by_head: Whether the rows of one matrix of q, k and v stand together for each key head (GPT-NeoX, BLOOM, Falcon).
        interleaved: Whether the two numbers that turn together are neighbours (GPT-J), and not half a head apart.
        sinks: The score of the sink of each head (gpt-oss).
    """

    base: str = "model."
    layer: str = "layers.{}."
    embed: str = "embed_tokens"
    positions: str | None = None
    skipped: int = 0
    norm_embed: str | None = None
    project_in: str | None = None
    project_out: str | None = None
    norm: str | None = "norm"
    head: str = "lm_head"
    qkv: tuple[str, ...] = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    out: str = "self_attn.o_proj"
    up: tuple[str, ...] = ("mlp.gate_proj", "mlp.up_proj")
    down: str = "mlp.down_proj"
    norm_in: str | None = "input_layernorm"
    norm_mid: str | None = "post_attention_layernorm"
    norm_q: str | None = None
    norm_k: str | None = None
    norm_attended: str | None = None
    norm_mlp: str | None = None
    norm_after_attention: str | None = None
    norm_after_mlp: str | None = None
    router: str = "mlp.gate"
    choice_bias: str | None = None
    expert: str = "mlp.experts.{}."
    expert_up: tuple[str, ...] = ("gate_proj", "up_proj")
    expert_down: str = "down_proj"
    all_up: str | None = None
    all_down: str | None = None
    all_transposed: bool = False
    all_in_turn: bool = False
    shared: str = "mlp.shared_expert."
    shared_gate: str | None = None
    transposed: bool = False
    by_head: bool = False
    interleaved: bool = False
    sinks: str | None = None


@dataclass(frozen=True)
class Architecture:
    """A decoder.

    Attributes:
        stored: The names of the tensors.
        rows: The number V of outcomes.
        width: The size of a hidden state.
        heads: The query heads of a layer.
        kv_heads: The key heads of a layer.
        head_dim: The size of a head.
        layers: The layers, first to last.
        context: The longest text, tokens.
        norm: The norms.
        scale: The factor of q·k.
        activation: The function of the MLP.
        tied: Whether the head is the embedding.
        gated: Whether the MLP is f(gate) · up, and not f(up).
        gate_limit: The c of f(min(gate, c)) · (1 + up clipped to [−c, c]), which is the MLP then; None for f(gate) · up.
        parallel: Whether attention and MLP read the same state. Without a norm of its own, the MLP reads the norm of the
            attention.
        qk_norm: What is normalised of queries and keys: each head, all heads together, or each head that turns, without
            gains ("turning"); None for nothing.
        latent: Multi-head latent attention; None for matrices of queries, keys and values.
        slopes: The slope of each head in nats a token (ALiBi); None for no slopes.
        rounded_slopes: Whether slope · position is rounded to bfloat16 and then multiplied by `scale` (Falcon).
        clip: Queries, keys and values are clipped to [−clip, clip]; None for no clipping.
        embed: The factor of embeddings.
        embed_width: The size of an embedding; None for `width`.
        residual: The factor of what attention and MLP add.
        cap: The c of c·tanh(z/c) on attention scores; None for no cap.
        final_cap: The c of c·tanh(z/c) on logits; None for no cap.
        logit_scale: The factor of logits.
    """

    stored: Stored
    rows: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    layers: tuple[Layer, ...]
    context: int
    norm: Norm
    scale: float
    activation: Activation
    tied: bool
    gated: bool = True
    gate_limit: float | None = None
    parallel: bool = False
    qk_norm: Literal["heads", "whole", "turning"] | None = None
    latent: Latent | None = None
    slopes: tuple[float, ...] | None = None
    rounded_slopes: bool = False
    clip: float | None = None
    embed: float = 1.0
    embed_width: int | None = None
    residual: float = 1.0
    cap: float | None = None
    final_cap: float | None = None
    logit_scale: float = 1.0

    @property
    def hidden_width(self) -> int:
        """The size of a final hidden state, which the head reads."""
        return self.embed_width or self.width
