import type { BackendError } from "./backend";
import { t } from "./texts";

/** Why it is so: in the agent's own words where it said something. */
export function whyOf(trouble: BackendError): string {
  return trouble.trouble === "refused" ? trouble.detail : t.trouble[trouble.trouble].why;
}
