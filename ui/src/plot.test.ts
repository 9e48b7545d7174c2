import { expect, test } from "vitest";
import { byTheHour, hasAny, roundUp } from "./plot";

test("an axis ends at a round figure", () => {
  expect([0, 3, 10, 11, 320, 1_320_000].map(roundUp)).toEqual([1, 5, 10, 20, 500, 2_000_000]);
});

test("what came within an hour is one bar, and an hour without a record is none", () => {
  const at = (hour: number, minute: number) => new Date(2026, 10, 21, hour, minute).getTime();
  const hours = byTheHour([at(9, 0), at(9, 30), at(10, 0), at(11, 0)], [1, 2, null, 0]);
  expect(hours).toEqual([
    [at(9, 0), 3],
    [at(11, 0), 0],
  ]);
  expect(hasAny([null, null])).toBe(false);
});
