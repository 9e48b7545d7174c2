import type { Figures } from "../figures";

/** What a check found, in the page's language. */
export interface CheckText {
  readonly name: string;
  readonly found: string;
  readonly remedy?: string;
}

/** By the check's code. A code that is missing, or a figure, ends in the agent's own words. */
export type CheckTexts = Readonly<Record<string, (figures: Figures) => CheckText>>;
