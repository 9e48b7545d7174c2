import type { LeaseView, PauseRequest } from "./backend";
import { dayOf } from "./timeline";

/** How long a pause may last. */
export const LENGTHS = ["hour", "tomorrow", "open"] as const;

export type Length = (typeof LENGTHS)[number];

const HOUR_MS = 3_600_000;

export function pauseOf(length: Length, gpu: string | undefined, now: number = Date.now()): PauseRequest {
  const whose = gpu === undefined ? {} : { gpu };
  if (length === "hour") return { ...whose, for_ms: HOUR_MS };
  // By the clock on the wall: tomorrow begins at midnight, whatever the clocks do tonight.
  return length === "tomorrow" ? { ...whose, until_ms: dayOf(now).toMs } : whose;
}

/** Jobs that a pause ends; one that only hands in its results goes on. */
export function losing(leases: readonly LeaseView[], gpu: string | undefined): readonly LeaseView[] {
  return leases.filter(
    ({ state, gpus }) => (state === "running" || state === "paused") && (gpu === undefined || gpus.includes(gpu)),
  );
}
