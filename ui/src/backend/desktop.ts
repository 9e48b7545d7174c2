import { invoke } from "@tauri-apps/api/core";
import { inShell } from "./tauri";

/** Which notifications the desktop shows. */
export interface Notices {
  readonly paid: boolean;
  readonly reclaimed: boolean;
  readonly hot: boolean;
  readonly needs_you: boolean;
}

/** What is the desktop's own and not the agent's. */
export interface Desktop {
  /** Whether the shell starts with the session; null where that cannot be read. */
  readonly autostart: boolean | null;
  readonly notices: Notices;
  /** Whether there is a place for the tray icon. */
  readonly tray: boolean;
  /** Whether notifications are shown, as far as is known. */
  readonly notifications: boolean;
}

/** The shell around these pages; undefined in a browser. Calls reject with what went wrong, as a text. */
export const desktop = inShell
  ? {
      read: () => invoke<Desktop>("shell"),
      setAutostart: (on: boolean) => invoke<void>("set_autostart", { on }),
      setNotices: (notices: Notices) => invoke<void>("set_notices", { notices }),
      /** Has tray and notifications speak the language of the pages. */
      speak: (language: string) => invoke<void>("speak", { language }),
    }
  : undefined;
