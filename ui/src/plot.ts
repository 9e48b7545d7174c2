import type uPlot from "uplot";
import { isLocale } from "./words/choice";
import { speech } from "./words/index.svelte";

/** Charts come when one is looked at, not before. */
export async function loadPlot(): Promise<typeof uPlot> {
  // Some systems call their language `C`, at which uPlot throws while it is loaded.
  if (!isLocale(navigator.language)) {
    Object.defineProperty(navigator, "language", { configurable: true, value: speech.locale });
  }
  return (await import("uplot")).default;
}

/** A round figure that nothing is above: 1, 2 or 5, and zeros. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** What buckets hold, hour by hour of the owner's clock; absent where none of an hour's buckets has anything. */
export function byTheHour(atMs: readonly number[], values: readonly (number | null)[]): readonly (readonly [number, number])[] {
  const hours = new Map<number, number>();
  for (const [index, at] of atMs.entries()) {
    const value = values[index];
    if (value == null) continue;
    const hour = new Date(at).setMinutes(0, 0, 0);
    hours.set(hour, (hours.get(hour) ?? 0) + value);
  }
  return [...hours].sort(([a], [b]) => a - b);
}

/** Whether there is anything to draw. */
export function hasAny(values: readonly (number | null)[]): boolean {
  return values.some((value) => value !== null);
}
