import { type Backend, BackendError, type TelemetryQuery } from "./backend";
import { EventStreamReader } from "./event-stream";
import type {
  BenchView,
  Doctor,
  History,
  Jobs,
  PauseRequest,
  PauseView,
  Preview,
  PreviewRequest,
  Problem,
  SettingsChange,
  SettingsPreview,
  SettingsPut,
  SettingsView,
  Status,
  TelemetryHistory,
  Wallet,
} from "./types";

/** Longer than the agent's own patience (5 s), so that its answer wins. */
const CALL_WITHIN_MS = 12_000;

/** The doctor looks at parts that may be stuck. */
const LOOK_WITHIN_MS = 60_000;

/** The live view gives a sign of life every 15 s; three missed ones, and nobody is there. */
const SILENCE_MS = 45_000;

/** Carries a call to the agent and its answer back. Rejects where nothing answers. */
export type Send = (method: string, path: string, signal: AbortSignal, body: string | undefined) => Promise<Response>;

export class HttpBackend implements Backend {
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  async watch(onStatus: (status: Status) => void, signal: AbortSignal): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const response = await this.#call("GET", "events", AbortSignal.any([signal, silence.signal]));
      const pieces = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
      const reader = new EventStreamReader();
      for (;;) {
        const { done, value } = await pieces.read();
        if (done) throw new BackendError("agent_away", "");
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        for (const event of reader.push(value)) {
          if (event.name === "status") onStatus(JSON.parse(event.data) as Status);
          if (event.name === "problem") throw asError(JSON.parse(event.data) as Problem);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof BackendError ? error : new BackendError("unreachable", "");
    } finally {
      clearTimeout(timer);
      // Ends the connection also where the loop was left for a problem.
      silence.abort();
    }
  }

  jobs(): Promise<Jobs> {
    return this.#json("GET", "jobs");
  }

  jobLog(lease: string, lines: number): Promise<string> {
    return this.#read("GET", `jobs/${encodeURIComponent(lease)}/log?lines=${lines}`, (response) => response.text());
  }

  wallet(): Promise<Wallet> {
    return this.#json("GET", "wallet");
  }

  walletCsv(): Promise<Blob> {
    return this.#read("GET", "wallet/export", (response) => response.blob());
  }

  pause(request: PauseRequest): Promise<PauseView> {
    return this.#json("PUT", "pause", request);
  }

  async resume(gpu?: string): Promise<void> {
    const path = gpu === undefined ? "pause" : `pause?gpu=${encodeURIComponent(gpu)}`;
    await this.#read("DELETE", path, (response) => response.text());
  }

  doctor(): Promise<Doctor> {
    return this.#json("GET", "doctor", undefined, AbortSignal.timeout(LOOK_WITHIN_MS));
  }

  history(days: number): Promise<History> {
    return this.#json("GET", `history?days=${days}`);
  }

  telemetry({ gpu, fromMs, toMs, points }: TelemetryQuery): Promise<TelemetryHistory> {
    const query = `gpu=${encodeURIComponent(gpu)}&from_ms=${fromMs}&to_ms=${toMs}&points=${points}`;
    return this.#json("GET", `history/telemetry?${query}`);
  }

  preview(request: PreviewRequest, signal?: AbortSignal): Promise<Preview> {
    const patience = AbortSignal.timeout(CALL_WITHIN_MS);
    return this.#json("POST", "preview", request, signal ? AbortSignal.any([signal, patience]) : patience);
  }

  bench(): Promise<BenchView> {
    return this.#json("GET", "bench");
  }

  startBench(): Promise<BenchView> {
    return this.#json("POST", "bench");
  }

  settings(): Promise<SettingsView> {
    return this.#json("GET", "settings");
  }

  checkSettings(change: SettingsChange): Promise<SettingsPreview> {
    return this.#json("POST", "settings/check", change);
  }

  changeSettings(put: SettingsPut): Promise<SettingsView> {
    return this.#json("PUT", "settings", put);
  }

  #json<T>(method: string, path: string, body?: object, signal?: AbortSignal): Promise<T> {
    return this.#read(method, path, (response) => response.json() as Promise<T>, body, signal);
  }

  async #read<T>(
    method: string,
    path: string,
    take: (response: Response) => Promise<T>,
    body?: object,
    signal = AbortSignal.timeout(CALL_WITHIN_MS),
  ): Promise<T> {
    try {
      return await take(await this.#call(method, path, signal, body));
    } catch (error) {
      throw error instanceof BackendError ? error : new BackendError("unreachable", "");
    }
  }

  async #call(method: string, path: string, signal: AbortSignal, body?: object): Promise<Response> {
    const response = await this.#send(method, path, signal, body && JSON.stringify(body));
    if (response.ok) return response;
    const problem = response.headers.get("Content-Type")?.startsWith("application/problem+json")
      ? ((await response.json()) as Problem)
      : undefined;
    throw asError(problem ?? { code: "unknown", detail: "", status: response.status, title: "", type: "" });
  }
}

function asError(problem: Problem): BackendError {
  switch (problem.status) {
    case 401:
      return new BackendError("not_allowed", problem.detail, problem.code);
    case 409:
      return new BackendError("conflict", problem.detail, problem.code);
    case 502:
      return new BackendError("agent_away", problem.detail, problem.code);
    default:
      return new BackendError("refused", problem.detail || problem.title, problem.code);
  }
}
