import { afterEach, expect, test } from "vitest";
import { bytes, capital, celsius, duration, fee, percentOf, spokenUsd, steadyUsd, usd, when } from "./format";
import { speech } from "./words/index.svelte";

afterEach(() => speech.choose("en"));

/** A space that does not break, as between a figure and its unit. */
const plain = (text: string) => text.replaceAll("\u00a0", " ").replaceAll("\u202f", " ");

test("an amount is exact, with two decimals at least", () => {
  expect(usd(0)).toBe("$0.00");
  expect(usd(4_217)).toBe("$0.004217");
  expect(usd(1_320_000)).toBe("$1.32");
  expect(usd(1_234_567_890_123)).toBe("$1,234,567.890123");
  expect(steadyUsd(1_320_000)).toBe("$1.320000");
  expect(spokenUsd(1_329_999)).toBe("$1.32");
  expect(spokenUsd(9_999)).toBe("$0.009999");
});

test("a duration has the two units that matter", () => {
  expect(plain(duration(999))).toBe("0 s");
  expect(plain(duration(34_900))).toBe("34 s");
  expect(plain(duration(154_000))).toBe("2 min 34 s");
  expect(plain(duration(120_000))).toBe("2 min 00 s");
  expect(plain(duration(120_000, "short"))).toBe("2 min");
  expect(plain(duration(3_900_000))).toBe("1 h 05 min");
  expect(plain(duration(7_200_000, "short"))).toBe("2 h");
});

test("figures keep their units", () => {
  expect(fee(500)).toBe("5%");
  expect(fee(725)).toBe("7.25%");
  expect(percentOf(999)).toBe("99%");
  expect(plain(bytes(512))).toBe("512 B");
  expect(plain(bytes(1_572_864))).toBe("1.5 MiB");
  expect(plain(bytes(512 * 2 ** 20))).toBe("512 MiB");
});

test("a moment has its day unless that has a name", () => {
  const noon = new Date(2026, 10, 21, 12, 5).getTime();
  expect(when(noon, noon + 3_600_000)).toBe("today, 12:05");
  expect(when(noon + 86_400_000, noon)).toBe("tomorrow, 12:05");
  expect(when(noon, noon + 86_400_000)).toBe("21 Nov 2026, 12:05");
});

test("each language writes figures its own way", () => {
  const noon = new Date(2026, 10, 21, 14, 5).getTime();
  speech.choose("de");
  expect(plain(usd(1_234_560_000))).toBe("1.234,56 $");
  expect(plain(fee(725))).toBe("7,25 %");
  expect(plain(celsius(84))).toBe("84 °C");
  expect(when(noon, noon)).toBe("heute, 14:05 Uhr");
  expect(when(noon, 0)).toBe("21. Nov. 2026, 14:05 Uhr");
  speech.choose("zh-Hans");
  expect(usd(1_320_000)).toBe("$1.32");
  expect(plain(duration(154_000))).toBe("2 分 34 秒");
  expect(when(noon, 0)).toBe("2026年11月21日 14:05");
});

test("a line begins with a capital", () => {
  expect(capital("rents from $0.20")).toBe("Rents from $0.20");
});
