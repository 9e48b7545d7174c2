/** Days as the settings write them. */
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export type Day = (typeof DAYS)[number];

/** Hours of some days, or hours of every day with a price of electricity. */
export interface HoursRule {
  readonly days: readonly Day[];
  /** `22:00`. */
  readonly from: string;
  readonly to: string;
  readonly electricity: string;
}

export type HoursKind = "hours" | "bands";

/** From what the agent gives; what is not understood is left out. */
export function rulesOf(value: unknown): HoursRule[] {
  if (!Array.isArray(value)) return [];
  return value.map((rule: Record<string, unknown>) => ({
    days: daysOf(String(rule["days"] ?? "daily")),
    from: String(rule["from"] ?? "00:00"),
    to: String(rule["to"] ?? "24:00"),
    electricity: String(rule["electricity"] ?? ""),
  }));
}

/** `mon-fri`, `sat,sun`, `fri-mon`, `daily`. */
export function daysOf(text: string): Day[] {
  if (text === "daily") return [...DAYS];
  const some = text.split(",").flatMap((part) => {
    const [first, last] = part.trim().split("-");
    const from = DAYS.findIndex((day) => day === first);
    const to = last === undefined ? from : DAYS.findIndex((day) => day === last);
    if (from < 0 || to < 0) return [];
    return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, step) => DAYS[(from + step) % 7]);
  });
  return DAYS.filter((day) => some.includes(day));
}

/** As the agent takes it. */
export function writeRules(kind: HoursKind, rules: readonly HoursRule[]): readonly object[] {
  return rules.map(({ days, from, to, electricity }) =>
    kind === "hours"
      ? { days: days.join(","), from, to }
      : { from, to, electricity: electricity.trim().replace(",", ".").replace("$", "") },
  );
}

/** Every quarter of an hour of a day, and its end. */
export const QUARTERS: readonly string[] = Array.from({ length: 97 }, (_, index) => {
  const two = (figure: number) => String(figure).padStart(2, "0");
  return `${two(Math.floor(index / 4))}:${two((index % 4) * 15)}`;
});

export function freshRule(kind: HoursKind): HoursRule {
  return { days: kind === "hours" ? [...DAYS] : [], from: "22:00", to: "06:00", electricity: "" };
}
