import { speech, t } from "./words/index.svelte";

const MICRO = 1_000_000;
const CENT = 10_000;
const CENTS = 2;
const STEADY = 6;

/** `$1.32`, `$0.004217`: at least two decimals, and as many as the amount has. The command line writes it so too. */
export function usd(micro: number): string {
  return money(micro, CENTS);
}

/** As one says it: whole cents, rounded down, from one cent on. */
export function spokenUsd(micro: number): string {
  return usd(micro < CENT ? micro : micro - (micro % CENT));
}

/** Always six decimals, for amounts that stand in a column or change while one looks. */
export function steadyUsd(micro: number): string {
  return money(micro, STEADY);
}

/** To the cent, with its sign: what an estimate is good for. */
export function roughUsd(micro: number): string {
  return numbers({
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: CENTS,
    maximumFractionDigits: CENTS,
  }).format(Math.round(micro / CENT) / 100);
}

/** With its sign, as exact as {@link steadyUsd}. */
export function signedUsd(micro: number): string {
  return micro < 0 ? t.unit.minus(steadyUsd(-micro)) : steadyUsd(micro);
}

/** Whole hours, for estimates and axes. */
export function wholeHours(ms: number): string {
  return count(Math.round(ms / 3_600_000));
}

function money(micro: number, decimals: number): string {
  // As text: no amount goes through a fraction of two.
  const exact = `${Math.floor(micro / MICRO)}.${String(micro % MICRO).padStart(STEADY, "0")}`;
  return numbers({
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: decimals,
    maximumFractionDigits: STEADY,
  }).format(exact as Intl.StringNumericLiteral);
}

export function count(value: number): string {
  return numbers({}).format(value);
}

function decimal(value: number, digits: number): string {
  return numbers({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** As one writes it into a field. */
export function plainNumber(value: number, decimals: number): string {
  return numbers({ minimumFractionDigits: decimals, maximumFractionDigits: 6, useGrouping: false }).format(value);
}

/** Of a hundred. */
export function percent(value: number): string {
  return numbers({ style: "percent", maximumFractionDigits: 2 }).format(value / 100);
}

/** Hundredths of a per cent: 500 is `5%`. */
export function fee(basisPoints: number): string {
  return percent(basisPoints / 100);
}

/** Whole per cent, rounded down: 100 % means done. */
export function percentOf(permille: number): string {
  return percent(Math.floor(permille / 10));
}

export function celsius(degrees: number): string {
  return t.unit.celsius(count(degrees));
}

/**
 * The two units that matter. A figure that runs keeps both, so that nothing beside it moves; a `short` one leaves out
 * what is zero.
 */
export function duration(ms: number, form: "running" | "short" = "running"): string {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return t.unit.seconds(count(seconds));
  if (hours === 0) {
    const whole = form === "short" && seconds % 60 === 0;
    return whole ? t.unit.minutes(count(minutes)) : t.unit.minutesAnd(count(minutes), twoDigits(seconds % 60));
  }
  const whole = form === "short" && minutes % 60 === 0;
  return whole ? t.unit.hours(count(hours)) : t.unit.hoursAnd(count(hours), twoDigits(minutes % 60));
}

function twoDigits(value: number): string {
  return numbers({ minimumIntegerDigits: 2 }).format(value);
}

const GIB = 2 ** 30;

/** The figure alone. */
export function gib(bytes: number): string {
  return decimal(bytes / GIB, 1);
}

export function bytes(size: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = size;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return t.unit.bytes(Number.isInteger(value) ? count(value) : decimal(value, 1), units[unit] ?? "B");
}

/** The figure alone. */
export function watts(milliwatts: number): string {
  return count(Math.round(milliwatts / 1000));
}

/** Thousandths of a processor core, as cores. */
export function cores(milli: number): string {
  return numbers({ maximumFractionDigits: 3 }).format(milli / 1000);
}

/** The time with its day; today's and tomorrow's have names. */
export function when(ms: number, now: number = Date.now()): string {
  const time = clock(ms);
  const days = dayNumber(ms) - dayNumber(now);
  if (days === 0) return t.unit.today(time);
  if (days === 1) return t.unit.tomorrow(time);
  return t.unit.on(day(ms), time);
}

/** The time alone, for an axis. */
export function tickClock(ms: number): string {
  return dates({ hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** A stretch within one day; one that ends with the day ends at 24:00. */
export function stretch(fromMs: number, toMs: number, dayEndsMs: number): string {
  const time = dates({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return t.unit.stretch(time.format(fromMs), toMs === dayEndsMs ? "24:00" : time.format(toMs));
}

/** "Sat, 21 Nov". */
export function shortDay(ms: number): string {
  return t.unit.day(dates({ weekday: "short", day: "numeric", month: "short" }).format(ms));
}

/** "Saturday, 21 November". */
export function longDay(ms: number): string {
  return t.unit.day(dates({ weekday: "long", day: "numeric", month: "long" }).format(ms));
}

/** "21 Nov". */
export function dayAndMonth(ms: number): string {
  return t.unit.day(dates({ day: "numeric", month: "short" }).format(ms));
}

export function day(ms: number): string {
  return t.unit.day(dates({ day: "numeric", month: "short", year: "numeric" }).format(ms));
}

export function clock(ms: number): string {
  return t.unit.clock(dates({ hour: "2-digit", minute: "2-digit" }).format(ms));
}

/** A whole hour on a scale: "06". */
export function hourMark(hour: number): string {
  return twoDigits(hour);
}

/** Short; 0 is Monday. */
export function weekday(day: number): string {
  // 1 January 2024 was a Monday.
  return t.unit.day(dates({ weekday: "short", timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + day)));
}

/** Counts local days, whatever their length. */
function dayNumber(ms: number): number {
  const at = new Date(ms);
  return Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / 86_400_000;
}

/** The beginning of a line. */
export function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase(speech.locale) + text.slice(1);
}

const numbers = kept((options: Intl.NumberFormatOptions) => new Intl.NumberFormat(speech.locale, options));
const dates = kept((options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(speech.locale, options));

/** Making a formatter takes far longer than using it. */
function kept<Options extends object, Formatter>(make: (options: Options) => Formatter): (options: Options) => Formatter {
  const made = new Map<string, Formatter>();
  return (options) => {
    const key = `${speech.locale} ${JSON.stringify(options)}`;
    let formatter = made.get(key);
    if (formatter === undefined) {
      formatter = make(options);
      made.set(key, formatter);
    }
    return formatter;
  };
}
