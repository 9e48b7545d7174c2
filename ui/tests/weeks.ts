const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A day that repeats: from its hour on, what the GPU did, for which reason. */
const DAY = [
  ["renting", undefined],
  ["in_use", { code: "owner_present", text: "Keyboard or mouse are in use.", figures: { by: "desk", away_ms: 300_000, left_ms: 60_000 } }],
  ["no_demand", { code: "no_demand", text: "No job asked for it yet.", figures: { gpu: "llvmpipe", floor: 200_000 } }],
  ["too_hot", { code: "too_hot", text: "It is at 84 °C.", figures: { gpu: "llvmpipe", sensor: "core", celsius: 84, cool_c: 76 } }],
  ["below_floor", { code: "below_floor", text: "Orders pay less.", figures: { gpu: "llvmpipe", price: 100_000, floor: 200_000 } }],
  ["renting", undefined],
  ["paused", { code: "paused_by_owner", text: "You paused renting.", figures: {} }],
  ["unavailable", { code: "docker_unavailable", text: "Docker does not answer.", figures: {} }],
] as const;

/** SQL that puts days into the agent's record, up to the last whole minute: a reading each minute, a piece of the timeline each three hours. */
export function weeksOf(days: number, gpu: string, nowMs: number): string {
  const last = Math.floor(nowMs / MINUTE_MS) - 1;
  const first = last - days * 24 * 60;
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
  const pieces: string[] = [];
  const step = 3 * HOUR_MS;
  for (let from = first * MINUTE_MS, at = 0; from < last * MINUTE_MS; from += step, at++) {
    const [kind, reason] = DAY[at % DAY.length] ?? DAY[0];
    const json = reason ? text(JSON.stringify({ ...reason, remedy: "It passes." })) : "NULL";
    const codes = text(JSON.stringify(reason ? [reason.code] : []));
    const to = Math.min(from + step, last * MINUTE_MS);
    pieces.push(`(${NUMBER}, ${from}, ${to}, ${text(JSON.stringify(kind))}, ${codes}, ${json}, ${reason ? "NULL" : text("lease-of-old")})`);
  }
  return `
PRAGMA busy_timeout = 5000;
BEGIN;
DELETE FROM segment; DELETE FROM minute; DELETE FROM quarter;
INSERT OR IGNORE INTO recorded_gpu (gpu) VALUES (${text(gpu)});
CREATE TEMP TABLE this AS SELECT id FROM recorded_gpu WHERE gpu = ${text(gpu)};
INSERT INTO segment (gpu, from_ms, to_ms, kind, reasons, reason, lease) VALUES ${pieces.join(",\n")};
WITH RECURSIVE m (minute) AS (SELECT ${first} UNION ALL SELECT minute + 1 FROM m WHERE minute < ${last - 1})
INSERT INTO minute (gpu, minute, ms, temperature, power, load, memory, rented, offered, asked, pays, energy, unmeasured, unpriced, cost, earned)
SELECT ${NUMBER}, minute, 60000, 480 + minute % 240, 140000 + minute % 1440 * 100, 600 + minute % 360, 6000 + minute % 2000, 60000, 0, 0, 340000,
       14000000, 0, 0, 1200000, 3000 + minute % 2600 FROM m;
INSERT INTO quarter SELECT gpu, minute / 15, sum(ms), avg(temperature), min(temperature), max(temperature), avg(power), min(power), max(power),
       avg(load), min(load), max(load), avg(memory), min(memory), max(memory), sum(rented), sum(offered), sum(asked), max(pays), sum(energy),
       sum(unmeasured), sum(unpriced), sum(cost), sum(earned) FROM minute GROUP BY gpu, minute / 15;
COMMIT;`;
}

const NUMBER = "(SELECT id FROM this)";
