import type { Check } from "./backend";
import { Figures, MissingFigure } from "./figures";
import type { Said } from "./said";
import { t } from "./words/index.svelte";

export interface SaidCheck {
  readonly name: Said;
  readonly found: Said;
  readonly remedy: Said | undefined;
  /** What somebody else said, where the page's language leaves it out. */
  readonly detail: string;
}

/** What the doctor found, in the page's language; in the agent's own words where the pages have none for it. */
export function sayCheck(check: Check): SaidCheck {
  const own = {
    name: { given: check.name },
    found: { given: check.found },
    remedy: check.remedy == null ? undefined : { given: check.remedy },
    detail: "",
  };
  const words = t.checks?.[check.code ?? ""];
  if (!words) return own;
  try {
    const problem = check.figures?.["problem"];
    const said = words(new Figures(check));
    return {
      name: said.name,
      found: said.found,
      remedy: said.remedy ?? (check.remedy == null ? undefined : own.remedy),
      detail: typeof problem === "string" ? problem : "",
    };
  } catch (error) {
    if (error instanceof MissingFigure) return own;
    throw error;
  }
}

/** Commands in a text: what stands between backticks, and what follows "apt install". */
export function commandIn(text: string): string | undefined {
  return /`([^`]+)`/.exec(text)?.[1] ?? /\bapt install [a-z0-9.-]+/.exec(text)?.[0];
}
