import { asBackendError, backend, type BackendError, type Preview, type PreviewRequest } from "./backend";

const SOON_MS = 300;

/** What a change would have meant: asked once the hand rests, and only the last answer counts. */
export class Previewed {
  value = $state.raw<Preview>();
  trouble = $state.raw<BackendError>();
  busy = $state(false);
  #gone = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Asks in a moment; `undefined` asks nothing, and forgets what was answered. */
  ask(request: PreviewRequest | undefined, afterMs: number = SOON_MS): void {
    this.stop();
    this.busy = request !== undefined;
    if (request === undefined) {
      this.value = undefined;
      this.trouble = undefined;
      return;
    }
    const gone = new AbortController();
    this.#gone = gone;
    this.#timer = setTimeout(() => void this.#fetch(request, gone.signal), afterMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#gone.abort();
    this.busy = false;
  }

  async #fetch(request: PreviewRequest, signal: AbortSignal): Promise<void> {
    try {
      const value = await backend.preview(request, signal);
      if (signal.aborted) return;
      this.value = value;
      this.trouble = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = asBackendError(error);
    }
    this.busy = false;
  }
}
