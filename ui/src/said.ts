import type { Reason } from "./backend";
import { Figures, MissingFigure } from "./figures";
import { shortName } from "./names";
import { t } from "./words/index.svelte";

/** Words that the pages did not choose: the agent's own, in English. */
export interface Given {
  readonly given: string;
}

/** One text of the pages, or one that came from the agent. */
export type Said = string | Given;

export interface SaidReason {
  /** What is so. */
  readonly text: Said;
  /** What the agent adds in its own words, where the page's language leaves it out. */
  readonly more: Given | undefined;
  /** What would change it. */
  readonly remedy: Said;
}

/** A reason in the page's language; in the agent's own words where the pages have none for it. */
export function sayReason(reason: Reason): SaidReason {
  const own = { text: given(reason, reason.text), more: undefined, remedy: given(reason, reason.remedy) };
  // An agent that is newer than these pages has codes that they do not know.
  const words = t.reasons?.[reason.code];
  if (!words) return own;
  try {
    const problem = reason.figures?.["problem"] ?? reason.figures?.["why"];
    return { ...words(new Figures(reason)), more: typeof problem === "string" ? { given: problem } : undefined };
  } catch (error) {
    if (error instanceof MissingFigure) return own;
    throw error;
  }
}

/** The agent's words, with the GPU called as people call it. */
function given({ figures }: Reason, words: string): Given {
  const gpu = figures?.["gpu"];
  return { given: typeof gpu === "string" ? words.replace(gpu, shortName(gpu)) : words };
}
