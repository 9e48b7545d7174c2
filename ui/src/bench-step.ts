import type { Said } from "./said";
import { t } from "./words/index.svelte";

/** How the agent names its steps, each followed by the GPU's name. */
const STEPS = [
  ["opening ", "opening"],
  ["multiplying matrices on ", "multiplying"],
  ["streaming memory of ", "streaming"],
] as const;

/** What is measured now; in the agent's own words where the pages have none. */
export function sayStep(step: string): Said {
  if (step === "starting") return t.bench.starting;
  for (const [words, name] of STEPS) {
    if (step.startsWith(words)) return t.bench[name](step.slice(words.length));
  }
  return { given: step };
}
