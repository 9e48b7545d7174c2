import { afterEach, expect, test } from "vitest";
import type { Reason, ReasonCode } from "./backend/types";
import { sayReason } from "./said";
import { speech } from "./words/index.svelte";

afterEach(() => speech.choose("en"));

const HOUR = 3_600_000;

/** Each reason with the figures that the agent's core gives it. */
const REASONS: Record<ReasonCode, readonly NonNullable<Reason["figures"]>[]> = {
  agent_away: [{}],
  paused_by_owner: [{}, { until_ms: HOUR }, { gpu: "RTX 4090", until_ms: HOUR }],
  switched_off: [{ gpu: "RTX 4090" }],
  not_set_up: [{}],
  settings_unreadable: [{ problem: "line 3: no such key" }],
  needs_owner: [{ problem: "The keyring is locked." }],
  ledger_unwritable: [{ problem: "disk full" }],
  gpu_lost: [{ gpu: "RTX 4090", problem: "it fell off the bus" }],
  memory_held: [{}],
  reading_unknown: [{ reading: "temperature", why: "its driver does not tell", gpu: "RTX 4090" }, { reading: "new", why: "" }],
  program_runs: [
    { program: "Factorio", kind: "game", more: 0, after_ms: 300_000 },
    { program: "Blender", kind: "chosen", more: 2, after_ms: 0 },
  ],
  owner_present: [{ by: "desk", away_ms: 300_000, left_ms: 120_000 }],
  watching: [{ program: "mpv", how: "full_screen", more: 0, after_ms: 15_000 }],
  gpu_in_use: [{ program: "blender", gpu: "RTX 4090", pid: 7, more: 0, after_ms: 15_000 }],
  returning: [{}],
  too_hot: [
    { gpu: "RTX 4090", sensor: "core", celsius: 84, cool_c: 76 },
    { gpu: "RTX 4090", sensor: "hotspot", celsius: 104, cool_c: 96 },
  ],
  on_battery: [{ after_ms: 15_000 }, { after_ms: 15_000, percent: 62 }],
  metered_network: [{ after_ms: 15_000 }],
  outside_hours: [{}, { opens_ms: HOUR }],
  settling: [{ gpu: "RTX 4090", settle_ms: 15_000 }],
  software_gpu: [{ gpu: "llvmpipe" }],
  not_benchmarked: [{ gpu: "RTX 4090" }],
  docker_unavailable: [{}, { problem: "the connection was refused" }],
  market_unreachable: [{}, { problem: "the connection was refused" }],
  below_cost: [
    { net: 100_000, short: 20_000, cost: 120_000, kwh: 350_000 },
    { gpu: "RTX 4090", price: 100_000, short: 9_000, least: 110_000, watts: 312, power: "measured", kwh: 350_000 },
    { gpu: "RTX 4090", watts: 450, power: "at_most", kwh: 350_000 },
  ],
  below_floor: [{ gpu: "RTX 4090", price: 100_000, floor: 200_000 }],
  no_demand: [{ gpu: "RTX 4090", floor: 200_000 }],
};

const CASES = Object.entries(REASONS).flatMap(([code, each]) =>
  each.map((figures): Reason => ({ code: code as ReasonCode, text: "in English", remedy: "in English", figures })),
);

test.each(["de", "zh-Hans"] as const)("%s says every reason with its figures", (language) => {
  speech.choose(language);
  for (const reason of CASES) {
    const { text, remedy } = sayReason(reason);
    expect([reason.code, typeof text, typeof remedy]).toEqual([reason.code, "string", "string"]);
    expect(`${String(text)}${String(remedy)}`).not.toMatch(/undefined|NaN|Invalid|null|!/);
    for (const name of ["program"]) {
      const said = reason.figures?.[name];
      if (said !== undefined) expect(text).toContain(said);
    }
  }
});

test("English is what the agent says; so is a reason that the pages do not know, and one without its figures", () => {
  const [hot] = CASES.filter(({ code }) => code === "too_hot");
  if (!hot) throw new Error("no such case");
  expect(sayReason(hot).text).toEqual({ given: "in English" });
  speech.choose("de");
  expect(sayReason(hot).text).toMatch(/^Die GPU hat 84\s°C\.$/);
  expect(sayReason({ ...hot, figures: {} }).text).toEqual({ given: "in English" });
  expect(sayReason({ ...hot, code: "from_the_future" as ReasonCode }).text).toEqual({ given: "in English" });
});

test("in the agent's words, a GPU is called as people call it", () => {
  const name = "NVIDIA GeForce RTX 4090";
  const reason: Reason = { code: "too_hot", text: `${name} is at 84 °C.`, remedy: "", figures: { gpu: name } };
  expect(sayReason(reason).text).toEqual({ given: "RTX 4090 is at 84 °C." });
});

test("what the agent adds stands beside the page's words", () => {
  speech.choose("de");
  const [, away] = CASES.filter(({ code }) => code === "docker_unavailable");
  if (!away) throw new Error("no such case");
  expect(sayReason(away)).toMatchObject({ text: "Docker antwortet nicht.", more: { given: "the connection was refused" } });
});
