"""Servers that differ, and are right, fail no check; servers that can be asked little are told so; none stops the test."""

import contextlib
import json

import pytest
from exact_server import MODEL, ExactServer, Refused, served
from faulty_servers import EndIsEaten
from other_servers import (
    Busy,
    Dies,
    Hostile,
    Junk,
    LettersOnly,
    LikeLlamaCpp,
    LikeOpenAI,
    LikeVllm,
    Locked,
    Memoryless,
    Mutated,
    NoServer,
    Opaque,
    Sparse,
    WithoutBegin,
    WordsOnly,
)
from test_faults import findings_of

from pofx.errors import BadSource
from pofx.models.outside.http_client import ServerClient
from pofx.server_check import probe
from pofx.server_check.check import CHECKS, check_server

TOKENIZER = {"tokenizer", "special tokens", "reference ids"}


def not_passed(server, reference=MODEL):
    found = findings_of(server, reference)
    assert list(found) == list(CHECKS)
    return {name: f.verdict for name, f in found.items() if f.verdict != "pass"}, found


def test_a_server_without_a_tokenizer_that_names_ids_in_answers():
    verdicts, _ = not_passed(LikeVllm())
    assert verdicts == dict.fromkeys({"too long", *TOKENIZER}, "skip")


def test_a_server_that_reads_texts_only():
    verdicts, found = not_passed(LikeOpenAI())
    asked_by_ids = {"ids verbatim", "BOS once", "echo = next", "too long", "unknown id"}
    assert verdicts == dict.fromkeys(asked_by_ids | TOKENIZER, "skip")
    assert found["ids verbatim"].got == "the server refuses ids (status 400: prompt: expected a text)"


def test_a_server_without_streams():
    class Whole(ExactServer):
        def stream(self, whole, asked):
            raise Refused("stream: expected false")

    verdicts, found = not_passed(Whole())
    assert verdicts == dict.fromkeys((name for name in CHECKS if name.startswith("stream")), "skip")
    assert found["stream"].got == "the server refuses stream (status 400: stream: expected false)"


def test_events_may_have_comments_other_fields_and_lines_that_end_otherwise():
    class Chatty(ExactServer):
        def stream(self, whole, asked):
            body = (
                super().stream(whole, asked).replace(b"data: ", b": still here\n\nevent: part\nid: 1\ndata:")
            )
            return b": hello\n\n" + body.replace(b"\n", b"\r\n")

        def media_type(self, body):
            return "text/event-stream; charset=utf-8" if body[:1] == b":" else "application/json"

    checks = [name for name in CHECKS if name.startswith("stream")]
    assert {f.verdict for f in findings_of(Chatty(), None, checks).values()} == {"pass"}


def test_an_end_that_is_left_out_of_arrays_may_be_counted():
    assert findings_of(EndIsEaten(), None, ["usage"])["usage"].verdict == "pass"


def test_an_eaten_end_is_found_by_texts_too():
    class Both(LikeOpenAI, EndIsEaten):
        pass

    found = findings_of(Both(), None, ["EOS is kept"])["EOS is kept"]
    assert found.verdict == "fail"
    assert "finish_reason 'stop'" in found.got


def test_a_server_without_echo():
    verdicts, found = not_passed(LikeLlamaCpp())
    assert set(verdicts.values()) == {"skip"}
    assert found["echo"].got == "the server refuses echo with logprobs (status 400: echo is not supported)"
    asked = {
        "max_tokens 1",
        "numbers",
        "greedy",
        "keys",
        "sums",
        "unknown id",
        "junk",
        "empty prompt",
        "tokenizer",
        "usage",
        "stream",
        "stream text",
        "stream logprobs",
        "stream usage",
    }
    assert asked | {"reference ids"} == set(CHECKS) - set(verdicts)


def test_a_model_without_a_begin():
    assert not_passed(WithoutBegin(), None)[0] == {"reference ids": "skip", "reference": "skip"}


def test_a_server_of_which_nobody_knows_the_ids():
    verdicts, _ = not_passed(Opaque(), None)
    assert verdicts == dict.fromkeys({"BOS once", "too long", "reference", *TOKENIZER}, "skip")


def test_a_model_of_few_letters():
    verdicts, _ = not_passed(LettersOnly())
    assert verdicts == {"EOS is kept": "skip"}  # its tokenizer does not read what it draws


def test_a_law_with_zeros():
    verdicts, _ = not_passed(Sparse(), None)
    assert set(verdicts) <= {"EOS is kept", "reference ids", "reference"}
    assert "fail" not in verdicts.values()


def test_a_model_that_reads_none_of_our_texts_is_asked_with_a_text_of_its_own():
    verdicts, found = not_passed(WordsOnly())
    assert "fail" not in verdicts.values()
    assert "once upon" in found["echo"].sent


def test_a_model_that_looks_at_no_history_is_a_warning():
    verdicts, found = not_passed(Memoryless(), None)
    assert verdicts == {
        "EOS is kept": "skip",
        "rows differ": "warn",
        "reference ids": "skip",
        "reference": "skip",
    }
    assert "no history" in found["rows differ"].got


def test_a_busy_server_is_asked_again(monkeypatch):
    waits = []
    monkeypatch.setattr(probe.time, "sleep", waits.append)
    assert not_passed(Busy())[0] == {}
    assert len(waits) > 20
    assert set(waits) == {1.0}


def test_a_server_that_dies_ends_the_test(capfd):
    verdicts, found = not_passed(Dies())
    assert list(verdicts.values()).count("fail") == 2
    assert set(list(verdicts.values())[2:]) == {"skip"}
    assert found["reference"].got == "the server stopped answering"


@pytest.mark.parametrize(("server", "says"), [(Locked, "api_key"), (NoServer, "HTTP status 404: <html>")])
def test_an_address_that_answers_no_completion_is_refused(server, says):
    with served(server()) as url, ServerClient(url) as client, pytest.raises(BadSource, match=says):
        check_server(client)


@pytest.mark.parametrize("kind", range(len(Junk.kinds)))
def test_answers_of_other_types_are_failures(kind):
    found = findings_of(Junk(kind), None, ["echo", "max_tokens 1", "greedy"])
    assert {f.verdict for f in found.values()} == {"fail"}, found


@pytest.mark.thorough
@pytest.mark.parametrize("kind", range(len(Junk.kinds)))
def test_answers_of_other_types_are_no_exceptions_of_any_check(kind):
    assert list(findings_of(Junk(kind), MODEL)) == list(CHECKS)


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.thorough) for s in range(1, 16))])
def test_answers_with_a_value_replaced_at_random_are_findings_and_no_exceptions(seed):
    with contextlib.suppress(BadSource):  # where the first answers of all are damaged
        assert list(findings_of(Mutated(seed), MODEL)) == list(CHECKS)


def test_a_hostile_server_writes_no_long_lines():
    found = findings_of(Hostile())
    assert found["unknown id"].verdict == "warn"
    assert max(len(f.got) for f in found.values()) < 500
    assert max(len(f.sent + f.expected) for f in found.values()) < 200


def test_all_requests_are_strict_json_of_the_named_model():
    class Listening(ExactServer):
        seen = []

        def completions(self, asked):
            self.seen.append(asked)
            return super().completions(asked)

    findings_of(Listening(), model="other")
    assert {asked["model"] for asked in Listening.seen} == {"other"}
    assert json.dumps(Listening.seen, allow_nan=False)
    assert max(len(p) for asked in Listening.seen for p in asked["prompt"] if isinstance(p, list)) <= 2101
