import type { GpuView, Reason } from "./backend";

export interface SortedReasons {
  /** Those that hold for every GPU, said once. */
  readonly shared: readonly Reason[];
  /** By GPU id: those that hold for it but not for all. */
  readonly own: ReadonlyMap<string, readonly Reason[]>;
}

/** Says each reason once: what keeps every GPU from renting stands apart from what keeps one. */
export function sortReasons(gpus: readonly GpuView[]): SortedReasons {
  const [first, ...others] = gpus;
  const shared = (first?.reasons ?? []).filter((reason) => others.every((gpu) => has(gpu, reason)));
  const own = new Map(
    gpus.map((gpu) => [gpu.info.id, gpu.reasons.filter((reason) => !shared.some((one) => same(one, reason)))]),
  );
  return { shared, own };
}

function has(gpu: GpuView, reason: Reason): boolean {
  return gpu.reasons.some((other) => same(other, reason));
}

function same(a: Reason, b: Reason): boolean {
  return a.code === b.code && a.text === b.text;
}
