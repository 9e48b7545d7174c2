import type { Note, Outcome, Range } from "./backend";
import { Figures, MissingFigure } from "./figures";
import { fee, percent, roughUsd, wholeHours } from "./format";
import { shortName } from "./names";
import type { Said } from "./said";
import { t } from "./words/index.svelte";

/** An estimate is a range; both ends that read the same are one figure. */
export function rangeOf({ low, high }: Range, say: (value: number) => string): string {
  const [from, to] = [say(low), say(high)];
  return from === to ? from : t.outcome.range(from, to);
}

/** The hours of a week that a GPU is free to rent. */
export function hoursOf(outcome: Outcome): string {
  return t.outcome.hours(rangeOf(outcome.rentable_ms, wholeHours));
}

/** What of a week's money is left: after the fee alone, where nobody knows what electricity it takes. */
export function leftOf({ net, gross, fee }: Outcome): string {
  return rangeOf(net ?? { low: gross.low - fee.low, high: gross.high - fee.high }, roughUsd);
}

/** What was taken off of it. */
export function leftNoteOf(outcome: Outcome, notes: readonly Note[]): string {
  if (outcome.net == null) return t.outcome.leftUnknown;
  return isUnpriced(notes) ? t.outcome.leftUnpriced : t.outcome.leftNote;
}

/** Whether electricity may cost more than jobs pay. */
export function mayLose(outcome: Outcome): boolean {
  return outcome.net != null && outcome.net.low < 0;
}

function isUnpriced(notes: readonly Note[]): boolean {
  return notes.some(({ code }) => code === "electricity_unpriced");
}

/** What an estimate rests on, in the page's language; in the agent's words where it gives no figures. */
export function sayNote(note: Note): Said {
  const say = NOTES[note.code];
  if (!say) return { given: note.text };
  try {
    return say(new Figures(note));
  } catch (error) {
    if (error instanceof MissingFigure) return { given: note.text };
    throw error;
  }
}

const part = (f: Figures, name: string) => percent(f.number(name));
const gpu = (f: Figures) => shortName(f.name("gpu"));

const NOTES: Readonly<Record<string, (f: Figures) => string>> = {
  example_weeks: (f) => t.outcome.notes.example_weeks(kindOf(f.name("example"))),
  own_weeks: (f) => t.outcome.notes.own_weeks(f.count("days")),
  price_seen: (f) => t.outcome.notes.price_seen(f.money("low"), f.money("high")),
  price_floor: (f) => t.outcome.notes.price_floor(f.money("price")),
  demand_seen: (f) => t.outcome.notes.demand_seen(part(f, "low"), part(f, "high"), f.count("days")),
  demand_assumed: (f) => t.outcome.notes.demand_assumed(part(f, "low"), part(f, "high")),
  fee_assumed: (f) => t.outcome.notes.fee_assumed(fee(f.number("permyriad"))),
  power_measured: (f) => t.outcome.notes.power_measured(gpu(f), f.watts("watts")),
  power_at_most: (f) => t.outcome.notes.power_at_most(gpu(f), f.watts("watts")),
  power_unknown: (f) => t.outcome.notes.power_unknown(gpu(f)),
  electricity_unpriced: () => t.outcome.notes.electricity_unpriced,
};

function kindOf(example: string): string {
  const names: Record<string, string> = t.settings.presetNames;
  return names[example] ?? example;
}
