import type {
  BenchView,
  Doctor,
  History,
  Jobs,
  PauseRequest,
  PauseView,
  Preview,
  PreviewRequest,
  SettingsChange,
  SettingsPreview,
  SettingsPut,
  SettingsView,
  Status,
  TelemetryHistory,
  Wallet,
} from "./types";

/** Which readings, and in how many buckets. */
export interface TelemetryQuery {
  readonly gpu: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** 1 to 2000. */
  readonly points: number;
}

/** How the pages reach the agent. Every call rejects with a {@link BackendError} and nothing else. */
export interface Backend {
  /** Hands over each status as it comes, until `signal` aborts or the stream ends (then it rejects). */
  watch(onStatus: (status: Status) => void, signal: AbortSignal): Promise<void>;
  jobs(): Promise<Jobs>;
  /** The last `lines` lines of a job's output. */
  jobLog(lease: string, lines: number): Promise<string>;
  wallet(): Promise<Wallet>;
  /** Every earning as CSV. */
  walletCsv(): Promise<Blob>;
  /** Rents nothing, or not one GPU, for a span, until a time, or until it is resumed. */
  pause(request: PauseRequest): Promise<PauseView>;
  /** Ends the pause of one GPU; without one, every pause. */
  resume(gpu?: string): Promise<void>;
  /** Looks at everything that renting needs; takes seconds. */
  doctor(): Promise<Doctor>;
  /** The last days, today included, segment by segment and day by day. */
  history(days: number): Promise<History>;
  /** What one GPU's sensors said, in buckets. */
  telemetry(query: TelemetryQuery): Promise<TelemetryHistory>;
  /** What a change of the settings would have meant, for a week. */
  preview(request: PreviewRequest, signal?: AbortSignal): Promise<Preview>;
  bench(): Promise<BenchView>;
  startBench(): Promise<BenchView>;
  settings(): Promise<SettingsView>;
  /** What a change would do; nothing is written. */
  checkSettings(change: SettingsChange): Promise<SettingsPreview>;
  /** Writes a change and has it in force; "conflict" where the file is another one than at that revision. */
  changeSettings(put: SettingsPut): Promise<SettingsView>;
}

export type Trouble =
  /** The way to the agent is there, the agent is not. */
  | "agent_away"
  /** Nothing answers at all. */
  | "unreachable"
  /** The link's token does not hold. */
  | "not_allowed"
  /** What is to be changed was changed by somebody else meanwhile. */
  | "conflict"
  /** The agent answered, and said no. */
  | "refused";

export class BackendError extends Error {
  override readonly name = "BackendError";

  constructor(
    readonly trouble: Trouble,
    /** What the agent said, in its words; empty where it said nothing. */
    readonly detail: string,
    /** The problem's stable code; empty where there is none. */
    readonly code: string = "",
  ) {
    super(detail === "" ? trouble : detail);
  }
}

export function asBackendError(error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  return new BackendError("unreachable", "");
}
