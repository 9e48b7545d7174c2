import { expect, test } from "vitest";
import { daysOf, QUARTERS, rulesOf, writeRules } from "./hours";

test("days are read as the settings write them", () => {
  expect(daysOf("mon-fri")).toEqual(["mon", "tue", "wed", "thu", "fri"]);
  expect(daysOf("fri-mon")).toEqual(["mon", "fri", "sat", "sun"]);
  expect(daysOf("sat,sun")).toEqual(["sat", "sun"]);
  expect(daysOf("daily")).toHaveLength(7);
  expect(daysOf("never")).toEqual([]);
});

test("rules go back as the agent takes them", () => {
  const rules = rulesOf([{ days: "sat-sun", from: "08:00", to: "24:00" }]);
  expect(writeRules("hours", rules)).toEqual([{ days: "sat,sun", from: "08:00", to: "24:00" }]);
  const bands = rulesOf([{ from: "22:00", to: "06:00", electricity: "0,21" }]);
  expect(writeRules("bands", bands)).toEqual([{ from: "22:00", to: "06:00", electricity: "0.21" }]);
  expect(rulesOf(null)).toEqual([]);
});

test("a day has its quarters and its end", () => {
  expect([QUARTERS[0], QUARTERS[1], QUARTERS.at(-1)]).toEqual(["00:00", "00:15", "24:00"]);
});
