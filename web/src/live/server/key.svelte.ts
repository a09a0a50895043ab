/** The key of the server, kept by the tab of the browser until the tab is closed. */

const NAME = "pofx-key";

class Key {
  #value = $state(read());

  /** The key; "" for none. Reactive: what was refused for want of a key is asked again when one is given. */
  get value(): string {
    return this.#value;
  }

  set value(given: string) {
    this.#value = given;
    try {
      sessionStorage.setItem(NAME, given);
    } catch {
      // A browser may refuse to store; the key lasts until the page is loaded again.
    }
  }
}

function read(): string {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

export const key = new Key();
