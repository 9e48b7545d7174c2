export const STEPS = ["found", "measure", "when", "where"] as const;

export type Step = (typeof STEPS)[number];

export function after(step: Step): Step {
  return STEPS[STEPS.indexOf(step) + 1] ?? step;
}

export function before(step: Step): Step {
  return STEPS[STEPS.indexOf(step) - 1] ?? step;
}

/** What the owner answered so far. Nothing of it is in force before the last step. */
export interface Answers {
  readonly preset: string;
  /** As it was written: an amount for a kWh, or nothing. */
  readonly electricity: string;
}

/** An amount as the agent takes it: `0.30`. Undefined is none. */
export function amountOf(written: string): string | undefined {
  const text = written.trim().replace("$", "").replace(",", ".").trim();
  return /^\d{1,3}(\.\d{1,6})?$/.test(text) ? text : undefined;
}

/** The settings file that the answers make: with a rule chosen, and a price of electricity where one was named. */
export function fileOf(ruled: string, electricity: string): string {
  const amount = amountOf(electricity);
  return amount === undefined ? ruled : `${ruled.trimEnd()}\n\n[price]\nelectricity = "${amount}"\n`;
}
