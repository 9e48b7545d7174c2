import { expect, test } from "vitest";
import { after, amountOf, before, fileOf } from "./steps";

test("steps follow one another and end", () => {
  expect([after("found"), after("where"), before("found"), before("when")]).toEqual(["measure", "where", "found", "measure"]);
});

test("an amount is taken as people write it, and nothing else is", () => {
  expect(["0,30", " $0.3 ", "12", "", "a lot", "-1", "0.30 a kWh"].map(amountOf)).toEqual([
    "0.30",
    "0.3",
    "12",
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("the answers make one file", () => {
  const ruled = '[market]\nurl = "https://market.example"\n\n[rent]\nmode = "always"\n';
  expect(fileOf(ruled, "")).toBe(ruled);
  expect(fileOf(ruled, "0,30")).toBe(`${ruled}\n[price]\nelectricity = "0.30"\n`);
});
