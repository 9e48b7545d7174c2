import { t } from "./texts";

const MICRO = 1_000_000;

/** `$1.32`, `$0.004217`: at least two decimals, and as many as the amount has. The command line writes it so too. */
export function usd(micro: number): string {
  const decimals = String(micro % MICRO).padStart(6, "0");
  const kept = Math.max(2, decimals.replace(/0+$/, "").length);
  return `$${whole(micro)}.${decimals.slice(0, kept)}`;
}

/** Always six decimals, for amounts that stand in a column or change while one looks. */
export function steadyUsd(micro: number): string {
  return `$${whole(micro)}.${String(micro % MICRO).padStart(6, "0")}`;
}

function whole(micro: number): string {
  return String(Math.floor(micro / MICRO)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Hundredths of a per cent: 500 is `5 %`. */
export function fee(basisPoints: number): string {
  return t.unit.percent(String(Number((basisPoints / 100).toFixed(2))));
}

export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return t.unit.seconds(seconds);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t.unit.minutes(minutes, seconds % 60);
  return t.unit.hours(Math.floor(minutes / 60), minutes % 60);
}

/** Whole per cent, rounded down: 100 % means done. */
export function percentOf(permille: number): string {
  return t.unit.percent(Math.floor(permille / 10));
}

const GIB = 2 ** 30;

export function gib(bytes: number): string {
  return (bytes / GIB).toFixed(1);
}

export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return t.unit.bytes(unit === 0 ? String(value) : value.toFixed(1), units[unit] ?? "B");
}

export function watts(milliwatts: number): number {
  return Math.round(milliwatts / 1000);
}

/** The time alone; with its day where that is not today. */
export function when(ms: number, now: number = Date.now()): string {
  const time = clock(ms);
  if (new Date(ms).toDateString() === new Date(now).toDateString()) return t.unit.today(time);
  const day = new Intl.DateTimeFormat(t.locale, { day: "numeric", month: "short", year: "numeric" }).format(ms);
  return `${day}, ${time}`;
}

export function clock(ms: number): string {
  return new Intl.DateTimeFormat(t.locale, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** The beginning of a line. */
export function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase(t.locale) + text.slice(1);
}
