import type { GpuView } from "./backend";

/** Whether any of the readings that Home shows could be had. */
export function hasReadings({ telemetry }: GpuView): boolean {
  if (!telemetry) return false;
  const { temperature_c, power_mw, load_percent, memory_used_bytes } = telemetry;
  return [temperature_c, power_mw, load_percent, memory_used_bytes].some((reading) => reading != null);
}
