"""The split into documents to fit and documents to validate."""

from __future__ import annotations

import random

import pytest

from pofx.corpus.split import split_documents
from pofx.errors import BadValue, NotText

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")


def test_split_is_the_same_on_every_machine():
    texts = [f"document {i}" for i in range(1000)]
    train, validation = split_documents(texts)
    assert validation[:3] == ["document 5", "document 25", "document 45"]
    assert 70 < len(validation) < 130
    assert sorted(train + validation) == sorted(texts)
    assert split_documents(texts, seed=1)[1] != validation


def test_split_goes_by_the_document_alone():
    texts = [f"document {i}" for i in range(200)]
    validation = set(split_documents(texts, 0.3)[1])
    shuffled = random.Random(0).sample(texts * 2, 400)
    train, held = split_documents(shuffled, 0.3)
    assert set(held) == validation
    assert len(held) == 2 * len(validation)
    assert held == [t for t in shuffled if t in validation]
    assert {b.decode() for b in split_documents([t.encode() for t in texts], 0.3)[1]} == validation
    # A greater share holds out a superset.
    assert validation <= set(split_documents(texts, 0.6)[1])
    assert not set(train) & validation


def test_split_at_its_ends_and_beyond():
    assert split_documents(["a", "b"], 0.0) == (["a", "b"], [])
    assert split_documents(iter(["a", "b"]), 1.0) == ([], ["a", "b"])
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadValue, match="held_out"):
            split_documents(["a"], share)
    with pytest.raises(BadValue, match="one string"):
        split_documents("abc")
    with pytest.raises(BadValue, match="seed"):
        split_documents(["a"], seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(BadValue, match="50 digits"):
        split_documents(["a"], seed=10**70)
    with pytest.raises(NotText):
        split_documents(["\ud800"])
