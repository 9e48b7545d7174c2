import { asBackendError, type BackendError } from "./backend";

/** Something asked of the agent again and again. What came last stays until something newer comes. */
export class Fetched<T> {
  value = $state.raw<T>();
  trouble = $state.raw<BackendError>();
  readonly #ask: () => Promise<T>;
  #round = 0;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  async refresh(): Promise<void> {
    const round = ++this.#round;
    try {
      const value = await this.#ask();
      // An answer that a later question overtook is old news.
      if (round === this.#round) {
        this.value = value;
        this.trouble = undefined;
      }
    } catch (error) {
      if (round === this.#round) this.trouble = asBackendError(error);
    }
  }

  /** Asks now and then every `everyMs`; returns how to stop. */
  keepFresh(everyMs: number): () => void {
    void this.refresh();
    const timer = setInterval(() => void this.refresh(), everyMs);
    return () => clearInterval(timer);
  }
}
