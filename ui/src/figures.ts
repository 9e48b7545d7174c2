import type { Figure } from "./backend";
import { bytes, celsius, count, duration, percent, usd, when } from "./format";
import { t } from "./words/index.svelte";

export class MissingFigure extends Error {
  override readonly name = "MissingFigure";
}

/** The figures of something that the agent says, set in type for the page's language. */
export class Figures {
  readonly #figures: Readonly<Record<string, Figure>>;

  constructor({ figures }: { readonly figures?: Readonly<Record<string, Figure>> }) {
    this.#figures = figures ?? {};
  }

  has(name: string): boolean {
    return this.#figures[name] !== undefined;
  }

  name(name: string): string {
    const value = this.#figures[name];
    if (typeof value !== "string") throw new MissingFigure(name);
    return value;
  }

  number(name: string): number {
    const value = this.#figures[name];
    if (typeof value !== "number") throw new MissingFigure(name);
    return value;
  }

  count(name: string): string {
    return count(this.number(name));
  }

  percent(name: string): string {
    return percent(this.number(name));
  }

  /** "5 min", "1 h 30 min". */
  span(name: string): string {
    return duration(this.number(name), "short");
  }

  /** "today, 18:00". */
  time(name: string): string {
    return when(this.number(name));
  }

  celsius(name: string): string {
    return celsius(this.number(name));
  }

  watts(name: string): string {
    return t.unit.watts(this.count(name));
  }

  size(name: string): string {
    return bytes(this.number(name));
  }

  /** Micro-USD. */
  money(name: string): string {
    return usd(this.number(name));
  }
}
