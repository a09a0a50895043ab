/** One request of a panel at a time, and the state it is in. */

import { Gone, Refusal } from "../server/server";

export type State =
  | { kind: "idle" }
  | { kind: "loading"; since: number; progress: Progress | null }
  | { kind: "done" }
  | { kind: "cancelled" }
  | { kind: "refused"; refusal: Refusal }
  | { kind: "key"; wrong: boolean }
  | { kind: "gone"; reason: string };

/** How far a request is: `done` of `of` things, such as draws. */
export interface Progress {
  done: number;
  of: number;
  unit: string;
}

export type Work<T> = (signal: AbortSignal, progress: (p: Progress) => void) => Promise<T>;

/** A request whose answer is kept until another one comes: `answer` stays shown while the next is loading. */
export class Asking<T> {
  state = $state.raw<State>({ kind: "idle" });
  answer = $state.raw<T | null>(null);
  #control: AbortController | null = null;
  #work: Work<T> | null = null;

  /** Start a request; one that is under way is dropped. */
  async run(work: Work<T>): Promise<void> {
    this.#control?.abort();
    const control = (this.#control = new AbortController());
    const mine = () => this.#control === control;
    this.#work = work;
    const since = performance.now();
    this.state = { kind: "loading", since, progress: null };
    try {
      const answer = await work(control.signal, (progress) => {
        if (mine()) this.state = { kind: "loading", since, progress };
      });
      if (!mine()) return;
      this.answer = answer;
      this.state = { kind: "done" };
    } catch (error) {
      if (!mine()) return;
      if (control.signal.aborted) this.state = { kind: "cancelled" };
      else if (error instanceof Refusal && error.status === 401) this.state = { kind: "key", wrong: error.message.includes("another") };
      else if (error instanceof Refusal) this.state = { kind: "refused", refusal: error };
      else if (error instanceof Gone) this.state = { kind: "gone", reason: error.message };
      else throw error;
    }
  }

  cancel(): void {
    this.#control?.abort();
  }

  /** Send the last request again. */
  retry(): void {
    if (this.#work !== null) void this.run(this.#work);
  }
}
