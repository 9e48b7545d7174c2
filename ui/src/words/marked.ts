import type { Words } from "./en";

/** Every text of a catalogue between brackets. */
export function marked(words: Words): Words {
  return mark(words) as Words;
}

function mark(value: unknown): unknown {
  if (typeof value === "string") return value.trim() === "" ? value : `⟦${value}⟧`;
  if (typeof value === "function") return (...given: unknown[]) => mark((value as (...given: unknown[]) => unknown)(...given));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, VERBATIM.has(key) ? part : mark(part)]));
}

/** No texts, but what the browser reads. */
const VERBATIM = new Set(["tag", "locale", "fileName"]);
