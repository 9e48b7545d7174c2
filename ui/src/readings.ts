import type { GpuView } from "./backend";

/** A GPU that tells fewer leaves room at the top of Home for what it asks and can do. */
const MANY = 3;

export function tellsLittle(gpu: GpuView): boolean {
  return readingCount(gpu) < MANY;
}

/** How many of the readings that Home shows could be had. */
export function readingCount({ telemetry }: GpuView): number {
  if (!telemetry) return 0;
  const { temperature_c, power_mw, load_percent, memory_used_bytes } = telemetry;
  return [temperature_c, power_mw, load_percent, memory_used_bytes].filter((reading) => reading != null).length;
}
