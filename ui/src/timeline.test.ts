import { expect, test } from "vitest";
import type { Segment, SegmentKind } from "./backend";
import { dayOf, groupOf, piecesOf, segmentsOf, sumsOf } from "./timeline";

const segment = (from_ms: number, to_ms: number, kind: SegmentKind): Segment => ({ from_ms, to_ms, kind, reasons: [] });

const week = [
  segment(0, 100, "not_running"),
  segment(100, 200, "paused"),
  segment(200, 300, "by_settings"),
  segment(300, 420, "renting"),
  segment(420, 500, "in_use"),
];

test("what looks alike is one piece, and what lies outside is cut off", () => {
  expect(piecesOf(week, 50, 460)).toEqual([
    { fromMs: 50, toMs: 100, group: "not_running" },
    { fromMs: 100, toMs: 300, group: "told" },
    { fromMs: 300, toMs: 420, group: "renting" },
    { fromMs: 420, toMs: 460, group: "in_use" },
  ]);
  expect(piecesOf(week, 500, 600)).toEqual([]);
});

test("the table keeps every segment apart", () => {
  expect(segmentsOf(week, 150, 320).map(({ from_ms, to_ms, kind }) => [from_ms, to_ms, kind])).toEqual([
    [150, 200, "paused"],
    [200, 300, "by_settings"],
    [300, 320, "renting"],
  ]);
});

test("sums add up to the whole time, the most telling first", () => {
  const sums = sumsOf(piecesOf(week, 0, 500));
  expect(sums).toEqual([
    ["renting", 120],
    ["in_use", 80],
    ["told", 200],
    ["not_running", 100],
  ]);
});

test("a kind that is newer than these pages is something that stood in the way", () => {
  expect(groupOf("a_new_one" as SegmentKind)).toBe("hindered");
});

test("a day ends where the next one begins, also when the clocks change", () => {
  const noon = new Date(2026, 2, 29, 12).getTime();
  const day = dayOf(noon);
  expect(day.key).toBe("2026-03-29");
  expect(dayOf(day.toMs).key).toBe("2026-03-30");
  expect(dayOf(day.toMs).fromMs).toBe(day.toMs);
});
