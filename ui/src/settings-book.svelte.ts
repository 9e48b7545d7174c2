import { asBackendError, backend, type BackendError, type SettingsChange, type SettingsView } from "./backend";

/** The settings as they stand, and the one way to change them. */
export class SettingsBook {
  view = $state.raw<SettingsView>();
  /** Why they could not be read. */
  trouble = $state.raw<BackendError>();
  /** They were changed elsewhere while something was changed here. */
  overtaken = $state(false);
  /** Counts what came from the agent, so that a field knows when to show it anew. */
  edition = $state(0);

  async read(): Promise<void> {
    try {
      this.#take(await backend.settings());
    } catch (error) {
      this.trouble = asBackendError(error);
    }
  }

  /** Asks now and then every `everyMs`: the file may be edited by hand. Returns how to stop. */
  keepFresh(everyMs: number): () => void {
    void this.read();
    const timer = setInterval(() => void this.read(), everyMs);
    return () => clearInterval(timer);
  }

  /** Makes a change. Returns why it was not made, where it was not. */
  async change(change: SettingsChange): Promise<BackendError | undefined> {
    const revision = this.view?.revision ?? "";
    try {
      this.#take(await backend.changeSettings({ revision, change }));
      this.overtaken = false;
      return undefined;
    } catch (error) {
      const trouble = asBackendError(error);
      if (trouble.trouble === "conflict") {
        this.overtaken = true;
        await this.read();
        this.edition += 1;
      }
      return trouble;
    }
  }

  #take(view: SettingsView): void {
    if (view.revision !== this.view?.revision) this.edition += 1;
    this.view = view;
    this.trouble = undefined;
  }
}
