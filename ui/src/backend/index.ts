import type { Backend } from "./backend";
import { throughBrowser } from "./browser";
import { HttpBackend } from "./http";
import { inShell, throughShell } from "./tauri";
import { takeToken } from "./token";

export { desktop, type Desktop, type Notices } from "./desktop";
export { asBackendError, type Backend, BackendError, type Trouble } from "./backend";
export type * from "./types";

export const backend: Backend = new HttpBackend(inShell ? throughShell : throughBrowser(takeToken()));
