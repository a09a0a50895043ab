"""Pretrained models: the numbers of the library's own forward in float64, in any batch, by any way to ask."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pofx
from laws import laws
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference import head as head_module
from pofx.models.pretrained.inference.linear import LONGEST, Linear
from pofx.models.pretrained.inference.prefix_tree import prefix_tree
from pofx.models.pretrained.inference.schedule import schedule_passes
from pofx.models.pretrained.library.body import LibraryBody, quiet
from pofx.models.pretrained.library.model import read_model
from pofx.models.pretrained.model import PretrainedLM
from pofx.transforms.deterministic import deterministic
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from tiny_checkpoints import BOS, EOS, FAMILIES, OURS, ROWS, write

Made = Callable[..., Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Directories of tiny models, each made once."""
    known: dict[str, Path] = {}

    def make(family: str = "llama", adds: Any = "nothing", **changes: Any) -> Path:
        key = json.dumps([family, adds, changes], sort_keys=True)
        if key not in known:
            known[key] = write(tmp_path_factory.mktemp("tiny"), family, adds, **changes)
        return known[key]

    return make


def core(directory: Path, dtype: str = "float32", budget: int | None = None) -> PretrainedLM:
    return read_pretrained(check_checkpoint(directory), None, dtype, budget)


def reference(directory: Path, paths: list[list[int]]) -> list[np.ndarray]:
    """log p(path[i] | path[:i]), i ≥ 1, by `model(ids).logits` in float64."""
    model = read_model(check_checkpoint(directory), torch.float64)
    out = []
    for p in paths:
        with torch.inference_mode():
            law = torch.log_softmax(model(torch.tensor([p[:-1]])).logits[0], -1)
        out.append(law[torch.arange(len(p) - 1), torch.tensor(p[1:])].numpy())
    return out


def some_paths(seed: int, n: int = 12, longest: int = 40) -> list[list[int]]:
    """Random paths, half of which begin like another."""
    rng = np.random.default_rng(seed)
    out: list[list[int]] = []
    for i in range(n):
        head = out[int(rng.integers(len(out)))][: int(rng.integers(1, longest))] if out and i % 2 else [BOS]
        out.append([*head, *rng.integers(0, ROWS, int(rng.integers(1, longest // 2))).tolist()][:longest])
    return out


class TestNumbers:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_float64_forward_of_the_library(self, made: Made, family: str) -> None:
        directory = made(family)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a fall-back would be loud
            lm = core(directory)
        assert isinstance(lm.body, LibraryBody) == (family not in OURS)
        paths = some_paths(1)
        found = lm.forward(paths, skip=1)
        for mine, exact in zip(found.logp, reference(directory, paths)):
            assert np.abs(mine - exact).max() < 2e-5

    @pytest.mark.parametrize("family", ["llama", "gemma2", "gemma3"])
    def test_many_answers_to_one_context(self, made: Made, family: str) -> None:
        rng = np.random.default_rng(8)
        contexts = [[BOS, *rng.integers(0, ROWS, n).tolist()] for n in (39, 39, 45)]
        paths = [[*c, *rng.integers(0, ROWS, k).tolist()] for c in contexts for k in (1, 3, 3, 9, 12)]
        skips = [len(c) for c in contexts for _ in range(5)]
        exact = reference(made(family), paths)
        for budget in (None, 50):
            found = core(made(family), budget=budget).forward(paths, skip=skips)
            for mine, whole, skip in zip(found.logp, exact, skips):
                assert np.abs(mine - whole[skip - 1 :]).max() < 2e-5

    @pytest.mark.parametrize("family", ["llama", "gemma3", "mistral, sliding", "gemma2", "gpt2", "biogpt"])
    def test_extend_is_forward(self, made: Made, family: str) -> None:
        lm = core(made(family))
        paths = some_paths(2)
        want = Want(
            entropy=True, rank=True, top=3, end=True, masses=np.random.default_rng(0).random((2, ROWS)) < 0.1
        )
        fast, slow = lm.forward(paths, want, 1), forward_by_extension(lm, paths, want, 1)
        for name in ("logp", "entropy", "top_logp", "end", "masses"):
            for a, b in zip(getattr(fast, name), getattr(slow, name)):
                assert np.abs(a - b).max() < 2e-5, name
        assert fast.rank is not None and slow.rank is not None
        assert fast.top_ids is not None and slow.top_ids is not None
        for i in range(len(paths)):
            assert (fast.rank[i] == slow.rank[i]).mean() > 0.9  # near ties may change places
            assert (fast.top_ids[i] == slow.top_ids[i]).mean() > 0.9

    @pytest.mark.thorough
    def test_laws(self, made: Made) -> None:
        laws(windowed(with_begin(core(made("gemma3")), "<bos>"), context=5, stride=2))

    @pytest.mark.thorough
    def test_a_model_without_x0_obeys_the_laws(self, made: Made) -> None:
        laws(core(made()))

    def test_bfloat16_is_near(self, made: Made) -> None:
        paths = some_paths(3)
        exact, rough = (core(made(), dtype).forward(paths, skip=1) for dtype in ("float32", "bfloat16"))
        off = np.concatenate([a - b for a, b in zip(exact.logp, rough.logp)])
        assert 1e-5 < np.abs(off).mean() < 0.1

    def test_wide_products_are_added_up_in_parts(self) -> None:
        torch.manual_seed(0)
        w, b, x = torch.randn(40, 2 * LONGEST + 3), torch.randn(40), torch.randn(7, 2 * LONGEST + 3)
        exact = x.double() @ w.double().T + b.double()
        assert len(Linear(w, b).parts) > 1 or not Linear(w, b).packed
        assert (Linear(w, b)(x) - exact).abs().max() < 1e-4

    @pytest.mark.parametrize("block", [64, 100, 4096])
    def test_the_head_in_blocks_is_the_whole_head(self, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
        monkeypatch.setattr(head_module, "BLOCK", block)
        torch.manual_seed(0)
        weight, hidden = torch.randn(300, 8), torch.randn(5, 8) * 3
        found = head_module.Head(weight, torch.randn(300), cap=4.0, scale=0.7)
        law = torch.log_softmax(4.0 * torch.tanh((hidden @ weight.T + found.bias).double() * 0.7 / 4.0), -1)
        row, ids = np.array([0, 0, 3, 4]), np.array([7, 299, 150, 7])
        sets = np.random.default_rng(0).random((3, 300)) < 0.2
        read = found.read(hidden, row, ids, Want(entropy=True, rank=True, top=4, end=True, masses=sets), 11)
        assert torch.allclose(read.logp, law[row, ids], atol=1e-5)
        assert read.entropy is not None and read.rank is not None and read.top_ids is not None
        assert read.end is not None and read.masses is not None
        assert torch.allclose(read.entropy, -(law.exp() * law).sum(1), atol=1e-5)
        assert read.rank.tolist() == [int((law[r] > law[r, i]).sum()) + 1 for r, i in zip(row, ids)]
        assert read.top_ids.tolist() == law.topk(4).indices.tolist()
        assert torch.allclose(read.end, law[:, 11], atol=1e-5)
        assert torch.allclose(read.masses, (law.exp() @ torch.from_numpy(sets).double().T).log(), atol=1e-5)
        assert torch.allclose(found.log_softmax(hidden).double(), law, atol=1e-5)


class TestScheduling:
    @pytest.mark.thorough
    def test_any_order_neighbours_and_budget(self, made: Made) -> None:
        paths = some_paths(4, n=40)
        lm = core(made("gemma3"))
        whole = lm.forward(paths, skip=1).logp
        order = np.random.default_rng(0).permutation(len(paths))
        shuffled = lm.forward([paths[i] for i in order], skip=1).logp
        for j, i in enumerate(order):
            assert np.abs(shuffled[j] - whole[i]).max() < 1e-5
        for budget in (1, 7, 64, 10_000):
            for a, b in zip(core(made("gemma3"), budget=budget).forward(paths, skip=1).logp, whole):
                assert np.abs(a - b).max() < 1e-5, budget
        for p, b in zip(paths, whole):
            assert np.abs(lm.forward([p], skip=1).logp[0] - b).max() < 1e-5

    def test_deterministic_is_bit_equal(self, made: Made) -> None:
        paths = some_paths(5, n=20)
        lm = deterministic(core(made()))
        whole = lm.forward(paths, skip=1).logp
        for i in (3, 11):
            assert (lm.forward([paths[7], paths[i]], skip=1).logp[1] == whole[i]).all()

    def test_duplicates_and_skips(self, made: Made) -> None:
        lm = core(made())
        path = some_paths(6)[3]
        found = lm.forward([path, path, path[:3], path], skip=[1, 5, 1, len(path)]).logp
        assert np.abs(found[0][4:] - found[1]).max() < 1e-6
        assert np.abs(found[0][:2] - found[2]).max() < 1e-5
        assert len(found[3]) == 0

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.lists(st.integers(0, 2), max_size=9), max_size=12), st.integers(1, 20), st.integers(1, 12)
    )
    @pytest.mark.thorough
    def test_the_tree_holds_every_sequence_once(self, rows: list[list[int]], worth: int, budget: int) -> None:
        sequences = [np.array(r, dtype=np.int64) for r in rows]
        tree = prefix_tree(sequences, worth)
        for i, s in enumerate(sequences):
            at = tree.rows(i)
            assert (tree.stream[at] == s).all() and len(at) == len(s)
        if worth == 1:  # everything shared is shared: as many tokens as there are different prefixes
            different = {tuple(r[:k]) for r in rows for k in range(1, len(r) + 1)}
            assert len(tree.stream) == len(different)
        # What each token may attend to, through all that is kept and numbered anew, is its own prefix.
        kept: list[tuple[int, ...]] = []
        seen = []
        for now in schedule_passes(tree, budget):
            mine: list[tuple[int, ...] | None] = [None] * len(now.ids)
            every: list[tuple[int, ...]] = [*kept, *([()] * len(now.ids))]
            for i, row in enumerate(now.rows.tolist()):
                owner = next(s for s in range(len(sequences)) if row in tree.rows(s))
                at = tree.rows(owner).tolist().index(row)
                every[len(kept) + i] = tuple(tree.stream[tree.rows(owner)[: at + 1]].tolist())
                assert now.positions[i] == at and now.ids[i] == tree.stream[row]
            flat = [
                (g, j, c)
                for g in now.groups
                for j in range(len(g.queries))
                for c in range(g.queries.shape[1])
            ]
            for i, place in enumerate(now.back.tolist()):
                group, j, c = flat[place]
                assert group.queries[j, c] == i
                keys = group.keys[j, : group.above + c + 1]
                mine[i] = tuple(every[k][-1] for k in keys)
                assert mine[i] == every[len(kept) + i]
            seen += now.rows.tolist()
            kept = [every[k] for k in now.keep]
        assert seen == list(range(len(tree.stream)))

    def test_shared_contexts_are_computed_once(self) -> None:
        context = np.arange(1, 301)
        answers = [np.append(context, [7, 8, a]) for a in range(10)]
        assert len(prefix_tree(answers).stream) == 302 + 10

    def test_too_long_without_a_window_rule(self, made: Made) -> None:
        lm = core(made())
        with pytest.raises(pofx.TooLong, match="64 tokens"):
            lm.forward([[5] * 66], skip=1)
        with pytest.raises(pofx.TooLong):
            lm.extend(lm.start(1), [[5] * 65])
        assert np.isfinite(windowed(lm).forward([[5] * 300], skip=1).logp[0]).all()


class TestLoading:
    def test_x0_is_what_the_tokenizer_adds(self, made: Made) -> None:
        lm = pofx.load(made(adds="bos"))
        assert (lm.begin.known, lm.begin.id) == ("declared", BOS)
        assert lm.vocab.end == EOS
        s = pofx.score(lm, ["the cat"])[0]
        directory = made(adds="bos")
        exact = reference(directory, [[BOS, *s.tokens.tolist(), EOS]])[0]
        assert abs(s.total - exact.sum()) < 1e-4 and s.terms.first and s.terms.end

    def test_a_tokenizer_that_adds_both_changes_nothing_more(self, made: Made) -> None:
        both, one = (pofx.load(made(adds=adds)) for adds in ("both", "bos"))
        assert pofx.log_prob(both, "the cat") == pytest.approx(pofx.log_prob(one, "the cat"), abs=1e-6)

    def test_a_declared_bos_that_is_never_added_is_no_x0(self, made: Made) -> None:
        lm = pofx.load(made())
        assert lm.begin.known == "none"
        with pytest.raises(pofx.NoBOS, match=r"<bos> \(declared as BOS, never added\).*pofx audit"):
            pofx.log_prob(lm, "the cat")
        assert np.isfinite(pofx.log_prob(lm, " cat", given="the"))

    def test_the_caller_names_x0_and_eos(self, made: Made) -> None:
        directory = made(adds="bos")
        by_name, by_id = pofx.load(directory, begin="<|endoftext|>"), pofx.load(directory, begin=3)
        assert by_name.begin.known == "assumed"
        assert pofx.log_prob(by_name, "a") == pofx.log_prob(by_id, "a")
        other = pofx.load(directory, begin=0, end="<|endoftext|>")
        assert other.vocab.end == 3 and other.begin.id == 0
        exact = reference(directory, [[0, *other.vocab.encode("a"), 3]])[0].sum()
        assert abs(pofx.log_prob(other, "a") - exact) < 1e-4

    def test_text_is_text(self, made: Made) -> None:
        lm = pofx.load(made(adds="bos"))
        s = pofx.score(lm, ["<bos>", "x<|endoftext|><eos>"])
        assert all(i >= len("4xxx") for r in s for i in r.tokens)
        assert lm.vocab.decode(s[1].tokens.tolist()) == b"x<|endoftext|><eos>"

    def test_texts_behind_others_are_not_opened(self, made: Made) -> None:
        lm = pofx.load(made(adds="bos", opening=True))
        assert lm.vocab.encode("the") == lm.vocab.encode("at the")[-1:]  # a space of the tokenizer's own
        whole = pofx.log_prob(lm, "at the")
        assert whole == pytest.approx(
            pofx.prefix_log_prob(lm, "at") + pofx.log_prob(lm, " the", given="at"), abs=1e-5
        )
        behind = pofx.score(lm, ["the", " the"], given=["", "at"])
        assert [s.vocab.decode(s.tokens.tolist()) for s in behind] == [b"the", b" the"]
        assert [s.spans.tolist() for s in behind] == [[[0, 3]], [[0, 4]]]
        draw = pofx.sample(lm, 1, given="at", max_tokens=3, seed=0)[0]
        assert draw.bytes == b"".join(lm.vocab.token_bytes[i] or b"" for i in draw.tokens)

    def test_no_eos(self, made: Made) -> None:
        home = made(adds="bos", eos_token_id=None)
        (home / "tokenizer_config.json").write_text('{"bos_token": "<bos>"}')
        lm = pofx.load(home)
        assert lm.vocab.end is None
        assert np.isfinite(pofx.prefix_log_prob(lm, "the"))
        with pytest.raises(pofx.NoEOS):
            pofx.log_prob(lm, "the")

    @pytest.mark.parametrize(
        "text",
        ["", "a", "   ", "👩‍👩‍👧 🤦🏽", "NUL \x00", "line\r\nline", b"\xff\xfe", "<bos>", "the " * 400],
        ids=["empty", "one", "spaces", "emoji", "NUL", "CRLF", "stray", "bos", "long"],
    )
    def test_odd_texts(self, made: Made, text: str | bytes) -> None:
        lm = pofx.load(made(adds="bos"))
        s = pofx.score(lm, [text, "the cat", text])
        assert np.isfinite(s[0].total)
        assert s[0].total == pytest.approx(s[2].total, abs=1e-9)
        slow = forward_by_extension(lm, [[*s[0].tokens, EOS]], Want(), 0) if len(s[0].tokens) < 200 else None
        if slow is not None:
            assert np.abs(slow.logp[0] - s[0].logp).max() < 2e-5

    @pytest.mark.thorough
    def test_a_million_characters(self, made: Made) -> None:
        text = "the cat at " * 91_000
        lm = pofx.load(made(adds="bos", max_position_embeddings=512))
        s = pofx.score(lm, [text])[0]
        assert len(text) > 10**6
        assert len(s.tokens) == len(s.logp) - 1 > 5 * 10**5
        assert s.seen.max() == 512
        assert np.isfinite(s.total)

    def test_given_longer_than_the_context(self, made: Made) -> None:
        lm = pofx.load(made(adds="bos"))
        given = "at the cat " * 40
        s = pofx.score(lm, [" hat", " mat"], given=given)
        assert len(lm.vocab.encode(given)) > 64
        law = lm.extend(lm.start(1), [lm.vocab.encode(given)]).logp[0]
        assert abs(s[0].logp[0] - law[s[0].tokens[0]]) < 1e-5
        assert s[0].seen[0] <= 64

    def test_dtype_and_budget_are_checked(self, made: Made) -> None:
        with pytest.raises(pofx.BadValue, match="float16"):
            pofx.load(made(), dtype="float16")
        with pytest.raises(pofx.BadValue, match="budget"):
            pofx.load(made(), budget=0)

    def test_a_decoder_that_differs_is_not_used_and_says_so(
        self, made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from pofx.models.pretrained.inference import decoder

        monkeypatch.setenv("POFX_CACHE", str(tmp_path))
        monkeypatch.setattr(
            decoder, "rotation_table", lambda rope, dim, at: _turns(rope, dim, at + 1 + at // 2)
        )
        with pytest.warns(RuntimeWarning, match="the library's forward is used"):
            lm = core(made())
        assert isinstance(lm.body, LibraryBody)
        monkeypatch.undo()
        paths = some_paths(7)
        for mine, exact in zip(lm.forward(paths, skip=1).logp, reference(made(), paths)):
            assert np.abs(mine - exact).max() < 2e-5

    def test_missing_weights_are_no_random_ones(self, made: Made, tmp_path: Path) -> None:
        from safetensors.torch import load_file, save_file

        for family, name in (("llama", "model.norm.weight"), ("gpt2", "transformer.h.1.mlp.c_fc.bias")):
            home = tmp_path / family
            shutil.copytree(made(family), home)
            weights = load_file(home / "model.safetensors")
            del weights[name]
            save_file(weights, home / "model.safetensors", {"format": "pt"})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with pytest.raises(pofx.BadSource, match="expected a tensor for each weight"):
                    core(home)

    def test_what_the_library_said_is_remembered(
        self, made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from pofx.models.pretrained import files

        monkeypatch.setenv("POFX_CACHE", str(tmp_path))
        core(made())
        monkeypatch.setattr(files, "read_model", _never)
        core(made())


def _turns(rope: Any, dim: int, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    from pofx.models.pretrained.inference.rotary import rotation_table

    return rotation_table(rope, dim, at)


def _never(*args: object) -> None:
    raise AssertionError("the library's model was not to be loaded")


class TestSampling:
    def test_draws_are_scored_as_drawn(self, made: Made) -> None:
        lm = pofx.load(made("gemma3", adds="bos"))
        draws = pofx.sample(lm, 20, given="the", max_tokens=12, seed=3, boundary="token")
        behind = lm.vocab.encode("the")
        paths = [[*behind, *d.tokens.tolist(), *([EOS] if d.ended else [])] for d in draws]
        for d, logp in zip(draws, lm.forward(paths, skip=len(behind)).logp):
            assert np.abs(d.logp - logp).max() < 2e-5
        assert [
            d.bytes for d in pofx.sample(lm, 3, given="the", max_tokens=12, seed=3, boundary="token")
        ] == [d.bytes for d in draws[:3]]

    def test_copies_share_their_trunk(self, made: Made) -> None:
        lm = core(made())
        one = lm.extend(lm.start(1), [[BOS, 9, 10, 11]])
        many = one.take([0] * 5)
        assert many.carry.trunk.shape[3] == 4 and sum(d.numel() for d in many.carry.buffer.data) == 0
        longer = lm.extend(many, np.arange(20, 25)[:, None])
        alone = lm.extend(lm.start(1), [[BOS, 9, 10, 11, 23]])
        assert np.abs(longer.logp[3] - alone.logp[0]).max() < 1e-5
        mixed = longer.take([1, 3]).cat(lm.extend(lm.start(1), [[BOS, 5]]))
        further = lm.extend(mixed, [[30, 31]] * 3)
        for row, path in enumerate([[BOS, 9, 10, 11, 21], [BOS, 9, 10, 11, 23], [BOS, 5]]):
            again = lm.extend(lm.start(1), [[*path, 30, 31]])
            assert np.abs(further.logp[row] - again.logp[0]).max() < 1e-5


def test_quiet_gives_back_the_librarys_voice() -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with quiet():
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
