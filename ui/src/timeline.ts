import type { History, Segment, SegmentKind, Total } from "./backend";

/** What people tell apart on a timeline, the most telling first. Each has a shape, a colour and a word. */
export const GROUPS = ["renting", "no_demand", "below_floor", "in_use", "too_hot", "told", "hindered", "not_running"] as const;

export type Group = (typeof GROUPS)[number];

const OF_KIND: Record<SegmentKind, Group> = {
  renting: "renting",
  no_demand: "no_demand",
  below_floor: "below_floor",
  in_use: "in_use",
  too_hot: "too_hot",
  paused: "told",
  off: "told",
  by_settings: "told",
  settling: "hindered",
  unavailable: "hindered",
  unknown: "hindered",
  not_running: "not_running",
};

export function groupOf(kind: SegmentKind): Group {
  // An agent that is newer than these pages may have kinds that they do not know.
  return OF_KIND[kind] ?? "hindered";
}

/** A stretch of a timeline that looks the same from end to end. */
export interface Piece {
  readonly fromMs: number;
  readonly toMs: number;
  readonly group: Group;
}

/** What of the segments lies between two times; neighbours that look alike become one. */
export function piecesOf(segments: readonly Segment[], fromMs: number, toMs: number): readonly Piece[] {
  const pieces: Piece[] = [];
  for (const segment of segments) {
    const [from, to] = [Math.max(segment.from_ms, fromMs), Math.min(segment.to_ms, toMs)];
    if (to <= from) continue;
    const group = groupOf(segment.kind);
    const last = pieces.at(-1);
    if (last && last.group === group && last.toMs >= from) pieces[pieces.length - 1] = { ...last, toMs: to };
    else pieces.push({ fromMs: from, toMs: to, group });
  }
  return pieces;
}

/** The segments that touch a day, cut to it, newest last. */
export function segmentsOf(segments: readonly Segment[], fromMs: number, toMs: number): readonly Segment[] {
  return segments
    .filter((segment) => segment.to_ms > fromMs && segment.from_ms < toMs)
    .map((segment) => ({
      ...segment,
      from_ms: Math.max(segment.from_ms, fromMs),
      to_ms: Math.min(segment.to_ms, toMs),
    }));
}

/** How long each lasted in all, the groups that did not happen left out, in {@link GROUPS}' order. */
export function sumsOf(pieces: readonly Piece[]): readonly (readonly [Group, number])[] {
  const sums = new Map<Group, number>();
  for (const { group, fromMs, toMs } of pieces) sums.set(group, (sums.get(group) ?? 0) + toMs - fromMs);
  return GROUPS.flatMap((group) => {
    const ms = sums.get(group) ?? 0;
    return ms > 0 ? [[group, ms] as const] : [];
  });
}

/** A day of the owner's calendar: from its first millisecond to the next day's, whatever its length. */
export interface Day {
  /** `2026-11-21`, in local time. */
  readonly key: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export function dayOf(ms: number): Day {
  const at = new Date(ms);
  const midnight = (days: number) => new Date(at.getFullYear(), at.getMonth(), at.getDate() + days).getTime();
  const two = (figure: number) => String(figure).padStart(2, "0");
  const key = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return { key, fromMs: midnight(0), toMs: midnight(1) };
}

/** The days that a history covers, newest first. */
export function daysOf(history: Pick<History, "days">): readonly Day[] {
  return history.days.map((stretch: Total) => dayOf(stretch.from_ms)).reverse();
}
