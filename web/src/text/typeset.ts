/** Sentences about numbers, which come from Python with a hyphen for a minus: a page has a true minus sign. */

import { visible } from "./visible";

/** A sentence as visible text, with − before a number and in exponents. Hyphens of words and ranges stay. */
export function typeset(sentence: string): string {
  return visible(sentence)
    .replace(/(?<![\p{L}\p{N}_.)\]-])-(?=\.?\d|∞)/gu, "−")
    .replace(/(?<=\de)-(?=\d)/g, "−");
}
