import type { LeaseState, LeaseView, RigState } from "./backend";

/** The mark of a lease that is under way, or how it is over. */
export type LeaseMark = Extract<RigState, "renting" | "waiting"> | "done" | "undone";

const MARKS: Record<LeaseState, LeaseMark> = {
  offered: "waiting",
  accepted: "waiting",
  pulling: "waiting",
  starting: "waiting",
  running: "renting",
  paused: "waiting",
  reclaiming: "waiting",
  uploading: "waiting",
  finished: "done",
  verified: "done",
  settled: "done",
  failed: "undone",
  refused: "undone",
  lost: "undone",
};

export function markOf(lease: LeaseView): LeaseMark {
  const mark = MARKS[lease.state];
  if (mark === "done" && lease.ending && lease.ending.code !== "completed") return "undone";
  return mark;
}

export function isUnderWay(lease: LeaseView): boolean {
  const mark = MARKS[lease.state];
  return mark === "renting" || mark === "waiting";
}

/** The list as it was fetched, with what the live view knows better put in. */
export function withLive(listed: readonly LeaseView[], current: readonly LeaseView[]): readonly LeaseView[] {
  const known = new Map(current.map((lease) => [lease.lease, lease]));
  const fresh = current.filter((lease) => !listed.some((one) => one.lease === lease.lease));
  return [...fresh, ...listed.map((lease) => known.get(lease.lease) ?? lease)];
}

/** Changes whenever the list must be fetched anew: a lease came, went, or changed its state. */
export function changeKey(current: readonly LeaseView[]): string {
  return current.map((lease) => `${lease.lease}=${lease.state}`).join(" ");
}
