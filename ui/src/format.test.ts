import { expect, test } from "vitest";
import { bytes, capital, duration, fee, percentOf, steadyUsd, usd, when } from "./format";

test("an amount is exact, with two decimals at least", () => {
  expect(usd(0)).toBe("$0.00");
  expect(usd(4_217)).toBe("$0.004217");
  expect(usd(1_320_000)).toBe("$1.32");
  expect(usd(1_234_567_890_123)).toBe("$1,234,567.890123");
  expect(steadyUsd(1_320_000)).toBe("$1.320000");
});

test("a duration has the two units that matter", () => {
  expect(duration(999)).toBe("0 s");
  expect(duration(34_900)).toBe("34 s");
  expect(duration(154_000)).toBe("2 min 34 s");
  expect(duration(3_900_000)).toBe("1 h 05 min");
});

test("figures keep their units", () => {
  expect(fee(500)).toBe("5 %");
  expect(fee(725)).toBe("7.25 %");
  expect(percentOf(999)).toBe("99 %");
  expect(bytes(512)).toBe("512 B");
  expect(bytes(1_572_864)).toBe("1.5 MiB");
});

test("a moment has its day unless it is today", () => {
  const noon = new Date(2026, 10, 21, 12, 5).getTime();
  expect(when(noon, noon + 3_600_000)).toBe("today, 12:05");
  expect(when(noon, noon + 86_400_000)).toBe("21 Nov 2026, 12:05");
});

test("a line begins with a capital", () => {
  expect(capital("rents from $0.20")).toBe("Rents from $0.20");
});
