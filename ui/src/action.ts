import type { Status } from "./backend";

export type Action = "pause" | "resume" | "bench";

/** The one thing that its owner would most likely do now. */
export function primaryAction(status: Status): Action {
  if (status.pause) return "resume";
  const unmeasured = status.gpus.some((gpu) => gpu.reasons[0]?.code === "not_benchmarked");
  return unmeasured && status.leases.length === 0 ? "bench" : "pause";
}
