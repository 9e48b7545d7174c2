import type { BackendError } from "./backend";
import { t } from "./words/index.svelte";

/** Why a call came to nothing, in the page's language; the agent's own words stand in `detail`. */
export function whyOf(error: BackendError): { readonly text: string; readonly detail: string } {
  const known: Record<string, string> = t.problems;
  switch (error.trouble) {
    case "refused":
    case "conflict":
      return { text: known[error.code] ?? t.problems.unknown, detail: error.detail };
    default:
      return { text: t.trouble[error.trouble].why, detail: "" };
  }
}
