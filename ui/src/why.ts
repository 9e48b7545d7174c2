import type { BackendError } from "./backend";
import type { Said } from "./said";
import { t } from "./words/index.svelte";

/** Why it is so: in the agent's own words where it said something. */
export function whyOf(trouble: BackendError): Said {
  return trouble.trouble === "refused" || trouble.trouble === "conflict" ? { given: trouble.detail } : t.trouble[trouble.trouble].why;
}
