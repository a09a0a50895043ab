import { expect, test } from "vitest";
import { NoLogprobs, readLogprobs } from "./logprobs";

test("chat: bytes of half characters, and the prompt that is not named", () => {
  const content = [
    { token: "Hi", logprob: -0.5, bytes: [72, 105], top_logprobs: [{ token: "Hi", logprob: -0.5, bytes: [72, 105] }] },
    { token: "\\xf0\\x9f", logprob: -1, bytes: [0xf0, 0x9f], top_logprobs: [] },
    { token: "\\x99\\x82", logprob: -9999, bytes: [0x99, 0x82], top_logprobs: [] },
  ];
  const [pasted] = readLogprobs(JSON.stringify({ choices: [{ message: {}, logprobs: { content } }] }));
  expect(pasted!.score.text).toBe("Hi🙂");
  expect(pasted!.score.prefix_nats).toBe("-inf");
  expect(pasted!.score.terms).toEqual({ bytes: 6, given_bytes: 1, end: false });
  expect(pasted!.leavesOut.join(" ")).toMatch(/The prompt.*EOS.*top 1 .*−9999/);
});

test("legacy with echo: the first token has no number", () => {
  const logprobs = {
    tokens: ["The", " cat", "bytes:\\xff"],
    token_logprobs: [null, -2, -3],
    top_logprobs: [null, { " cat": -2, " dog": -1 }, { "bytes:\\xff": -3 }],
    text_offset: [0, 3, 7],
  };
  const [pasted] = readLogprobs(JSON.stringify({ choices: [{ text: "The cat\ufffd", logprobs }] }));
  expect(pasted!.score.given).toBe("The");
  expect(pasted!.score.prefix_nats).toBe(-5);
  expect(pasted!.score.terms.bytes).toBe(5);
  expect(pasted!.score.tokens![0]!.top!.map((a) => a.token)).toEqual(["␣dog", "␣cat"]);
  expect(pasted!.leavesOut[0]).toContain("p(x1): the first token (The)");
});

test("vLLM: the token that came is the first of its place, whatever its id, or the one of the ids", () => {
  const places = '[null, {"900": {"logprob": -3, "rank": 5, "decoded_token": "b"}, "7": {"logprob": -1, "rank": 1, "decoded_token": "a"}}]';
  const [first] = readLogprobs(`{"choices": [{"prompt_logprobs": ${places}}]}`);
  expect(first!.score.text).toBe("b");
  expect(first!.score.tokens![0]!.rank).toBe(5);
  const [named] = readLogprobs(`{"prompt_logprobs": ${places}, "prompt_token_ids": [1, 7]}`);
  expect(named!.score.text).toBe("a");
});

test("anything else is refused with what was expected", () => {
  expect(() => readLogprobs("hello")).toThrow(NoLogprobs);
  expect(() => readLogprobs('{"choices": [{"text": "a", "logprobs": null}]}')).toThrow(/logprobs.content/);
  expect(() => readLogprobs('{"tokens": ["a"], "token_logprobs": [null]}')).toThrow(/each one is null/);
});
