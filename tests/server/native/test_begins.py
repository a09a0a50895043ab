"""`/v1/begins`: a text after each candidate for x0, and after none."""

from __future__ import annotations

import pytest
from native_requests import answered, refused

from served import Server


def test_the_served_x0_has_the_number_of_score(server: Server) -> None:
    for name in ("own", "tiny", "words"):
        found = answered(server, "/v1/begins", model=name, text="the cat")
        (s,) = answered(server, "/v1/score", model=name, texts=["the cat"])["scores"]
        first, *others = found["begins"]
        assert first["current"] and not any(row["current"] for row in others)
        assert first["total_nats"] == s["total_nats"] and first["terms"] == s["terms"]
        assert first["first_nats"] == s["tokens"][0]["nats"] and first["first"] == s["tokens"][0]["token"]
        assert first["first_nats"] + first["rest_nats"] == pytest.approx(s["total_nats"], abs=1e-9)


def test_every_candidate_stands_there_and_none_says_why(server: Server) -> None:
    for name in ("tiny", "plain"):
        rows = answered(server, "/v1/begins", model=name, text="the cat")["begins"]
        roles = {row["role"] for row in rows}
        assert {"bos", "eos", "unk", "newline", "none", "twice"} <= roles
        (none,) = [row for row in rows if row["role"] == "none"]
        assert none["error"]["code"] == "no-bos" and "total_nats" not in none
        assert none["current"] is (name == "plain") and none["rest_nats"] < 0
        for row in rows:
            assert ("error" in row) == (row["role"] == "none")


def test_models_fitted_with_and_without_x0(server: Server) -> None:
    own, none = answered(server, "/v1/begins", model="own", text="cat")["begins"]
    assert (own["role"], none["role"]) == ("begin", "none") and none["rest_nats"] == own["rest_nats"]
    rows = answered(server, "/v1/begins", model="open", text="cat")["begins"]
    assert rows[0]["role"] == "none" and rows[0]["current"] and "error" in rows[0]


def test_texts_without_a_score(server: Server) -> None:
    assert refused(server, "/v1/begins", 400, model="words", text="zebra")["code"] == "not-text"
    rows = answered(server, "/v1/begins", model="mle", text="zz")["begins"]
    assert rows[0]["total_nats"] is None and rows[0]["impossible"] is True
    rows = answered(server, "/v1/begins", model="own", text="")["begins"]
    assert rows[0]["first"] == "EOS" and rows[0]["rest_nats"] is None
    assert refused(server, "/v1/begins", 413, model="tiny", text="the cat " * 9000)["param"] == "text"
