import { asBackendError, backend, type BackendError, type Status } from "./backend";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5_000;

/** The agent's status as it changes, for as long as the page is open. */
class Live {
  /** The last one seen; kept while the agent is away, so that the page can show what it knew. */
  status = $state.raw<Status>();
  /** When it was seen, ms since 1970. */
  seenAt = $state.raw<number>();
  /** What is wrong now. */
  trouble = $state.raw<BackendError>();

  #wait = FIRST_RETRY_MS;
  #retry: (() => void) | undefined;

  /** Follows the agent until `signal` aborts, however often it comes and goes. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await backend.watch((status) => this.#take(status), signal);
      } catch (error) {
        this.trouble = asBackendError(error);
      }
      if (!signal.aborted) await this.#pause(signal);
    }
  }

  /** Asks at once instead of after the wait. */
  retry(): void {
    this.#wait = FIRST_RETRY_MS;
    this.#retry?.();
  }

  /** A GPU's name for its id; the id where it is not there any more. */
  gpuName(id: string): string {
    return this.status?.gpus.find((gpu) => gpu.info.id === id)?.info.name ?? id;
  }

  #take(status: Status): void {
    this.status = status;
    this.seenAt = Date.now();
    this.trouble = undefined;
    this.#wait = FIRST_RETRY_MS;
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#wait);
    signal.addEventListener("abort", () => resolve(), { once: true });
    this.#retry = resolve;
    await promise;
    clearTimeout(timer);
    this.#retry = undefined;
    this.#wait = Math.min(this.#wait * 2, LAST_RETRY_MS);
  }
}

export const live = new Live();
