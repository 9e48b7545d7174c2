import type { components } from "./agent-api";

type Schemas = components["schemas"];

export type BenchOutcome = Schemas["BenchOutcome"];
export type BenchView = Schemas["BenchView"];
export type Earning = Schemas["Earning"];
export type Ending = Schemas["Ending"];
export type GpuView = Schemas["GpuView"];
export type Jobs = Schemas["Jobs"];
export type LeaseState = Schemas["LeaseState"];
export type LeaseView = Schemas["LeaseView"];
export type PauseView = Schemas["PauseView"];
export type Problem = Schemas["Problem"];
export type Reason = Schemas["Reason"];
export type ReasonCode = Schemas["ReasonCode"];
export type RigState = Schemas["RigState"];
export type SignedVoucher = Schemas["SignedVoucher"];
export type Since = Schemas["Since"];
export type Status = Schemas["Status"];
export type Telemetry = Schemas["Telemetry"];
export type Wallet = Schemas["Wallet"];
