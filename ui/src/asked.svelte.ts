import { asBackendError, type BackendError } from "./backend";

/** Something that a button asks of the agent: busy until it is done, and then why it was not, where it was not. */
export class Asked {
  busy = $state(false);
  trouble = $state.raw<BackendError>();

  /** Returns whether it was done. */
  async act(what: () => Promise<unknown>): Promise<boolean> {
    this.busy = true;
    try {
      await what();
      this.trouble = undefined;
      return true;
    } catch (error) {
      this.trouble = asBackendError(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
