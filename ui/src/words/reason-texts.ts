import type { ReasonCode } from "../backend";
import type { Figures } from "../figures";

/** A reason in the page's language. */
export interface ReasonText {
  /** What is so. */
  readonly text: string;
  /** What would change it. */
  readonly remedy: string;
}

/** How each reason is said from its figures. A figure that is missing ends in the agent's own words. */
export type ReasonTexts = Record<ReasonCode, (figures: Figures) => ReasonText>;
