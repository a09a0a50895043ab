"""The fields of a config.json, read with the defaults of their family; an unknown field raises `NotCovered`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pofx.models.pretrained.checkpoint.architecture import Activation

# Fields that change no probability: for training, for generation, for tokens, and for other uses of a model.
_INERT = (
    # the identity of the model and its files
    "model_type architectures transformers_version dtype torch_dtype _name_or_path name_or_path _model_name_or_path "
    "attn_implementation "
    "_attn_implementation _attn_implementation_autoset auto_map transformers.js_config torchscript use_bfloat16 "
    "is_llama_config unsloth_fixed unsloth_version init_device init_config verbose tokenizer_name tokenizer_class "
    # tokens
    "bos_token_id eos_token_id pad_token_id sep_token_id cls_token_id unk_token_id mask_token_id decoder_start_token_id "
    "forced_bos_token_id forced_eos_token_id image_token_id prefix pad_vocab_size_multiple "
    # training
    "initializer_range init_std initializer_factor attention_dropout hidden_dropout attn_pdrop resid_pdrop embd_pdrop "
    "emb_pdrop embed_dropout resid_dropout residual_dropout embedding_dropout activation_dropout dropout layerdrop "
    "classifier_dropout gradient_checkpointing pretraining_tp reset_params router_aux_loss_coef router_jitter_noise "
    "output_router_logits aux_loss_alpha seq_aux ep_size num_nextn_predict_layers num_mtp_layers rescale_prenorm_residual "
    # what a call returns, and how
    "use_cache use_return_dict return_dict output_attentions output_hidden_states output_scores return_dict_in_generate "
    "chunk_size_feed_forward cache_implementation keys_to_ignore_at_inference gradient_checkpointing "
    # other tasks
    "id2label label2id num_labels problem_type task_specific_params finetuning_task summary_type summary_use_proj "
    "summary_activation summary_first_dropout summary_proj_to_labels pruned_heads is_decoder tie_encoder_decoder "
    "cross_attention_hidden_size "
    # generation
    "max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p "
    "typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids "
    "num_return_sequences exponential_decay_length_penalty suppress_tokens begin_suppress_tokens remove_invalid_values"
)
INERT = frozenset(_INERT.split())
# Fields of which one value, the value here, changes no probability.
_ONLY: Mapping[str, Any] = {
    "add_cross_attention": False,
    "is_encoder_decoder": False,
    "use_bidirectional_attention": False,
    "attn_temperature_tuning": False,
    "quantization_config": {},
    "rope_interleaved": False,
    "reorder_and_upcast_attn": False,
}
_ACTIVATIONS: Mapping[str, Activation] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "gelu_quick",
    "relu": "relu",
    "relu2": "relu_squared",
}
_MOST = 10**9


class NotCovered(Exception):
    """The decoder of pofx does not cover a config, so the library computes the model. The message names the field."""


class Fields:
    """The fields of a config, with a record of the fields that were read.

    Every method but `given` raises `NotCovered` for a value of another type or range than the method expects; the library
    has its own message about such a value.

    Args:
        config: The fields by name.

    Right: read each field that changes a probability, then call `finish`. Wrong: leave out `finish`, since a field that pofx
    does not know could then change the probabilities unseen.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._taken: set[str] = set()

    def given(self, name: str) -> Any:
        """Return the value of a field as it stands in the file; None for no value."""
        self._taken.add(name)
        return self._config.get(name)

    def whole(self, name: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number from `least` to 10⁹; a default of None makes the field necessary."""
        found = self.given(name)
        found = default if found is None else found
        if type(found) is not int or not least <= found <= _MOST:
            raise NotCovered(name)
        return found

    def optional(self, name: str, least: int = 1) -> int | None:
        """Return a whole number from `least` to 10⁹, or None for no value."""
        return None if self.given(name) is None else self.whole(name, least=least)

    def number(self, name: str, default: float | None = None) -> float:
        """Return a positive number; a default of None makes the field necessary."""
        found = self.given(name)
        return positive(default if found is None else found, name)

    def optional_number(self, name: str) -> float | None:
        """Return a positive number, or None for no value."""
        return None if self.given(name) is None else self.number(name)

    def truth(self, name: str, default: bool) -> bool:
        """Return the value of a field that is true or false."""
        found = self.given(name)
        found = default if found is None else found
        if not isinstance(found, bool):
            raise NotCovered(name)
        return found

    def activation(self, name: str, default: str) -> Activation:
        """Return the activation that a field names."""
        found = self.given(name)
        return activation(default if found is None else found, name)

    def only(self, name: str, *allowed: Any) -> None:
        """Raise `NotCovered` for any value that is not among `allowed`; a missing field and null raise nothing."""
        found = self.given(name)
        if found is not None and not any(found == one and type(found) is type(one) for one in allowed):
            raise NotCovered(name)

    def finish(self) -> None:
        """Raise `NotCovered` for the first field that no method has read, and whose value may change a probability."""
        for name, value in self._config.items():
            if name in self._taken or name in INERT or value is None:
                continue
            if name not in _ONLY or value != _ONLY[name]:
                raise NotCovered(name)


def positive(found: Any, name: str) -> float:
    """Return a positive number below 1e30 as a float; raise `NotCovered` for anything else."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < 1e30:
        raise NotCovered(name)
    return float(found)


def activation(found: Any, name: str) -> Activation:
    """Return the activation that has this name in the library; raise `NotCovered` for an unknown name."""
    if not isinstance(found, str) or found not in _ACTIVATIONS:
        raise NotCovered(name)
    return _ACTIVATIONS[found]


def divided(width: int, heads: int) -> int:
    """Return the size of a head; raise `NotCovered` unless the heads divide the width."""
    if width % heads:
        raise NotCovered("heads")
    return width // heads


def alibi_slopes(heads: int) -> tuple[float, ...]:
    """Return the slope of each head, nats a token (ALiBi).

    Let n be the largest power of 2 up to the number of heads. The first n heads have the slopes 2^(−8h/n), h = 1 … n, and
    the other heads have the slopes of h = ½, 1½, 2½ ….
    """
    n = 2 ** math.floor(math.log2(heads))
    first = [2.0 ** (-8.0 * (i + 1) / n) for i in range(n)]
    rest = [2.0 ** (-4.0 * (i + 1) / n) for i in range(0, 2 * (heads - n), 2)]
    return tuple(first + rest)
