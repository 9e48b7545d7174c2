import type { Backend } from "./backend";
import { HttpBackend } from "./http";
import { takeToken } from "./token";

export { asBackendError, type Backend, BackendError, type Trouble } from "./backend";
export type * from "./types";

export const backend: Backend = new HttpBackend(takeToken());
