import type { LeaseView } from "./backend";
import { bytes, cores } from "./format";
import { shortName } from "./names";
import type { Said } from "./said";
import { t } from "./words/index.svelte";

/** What a job may reach, item by item; in the agent's words where it gives no figures. */
export function reachOf(lease: LeaseView, gpuName: (id: string) => string): readonly Said[] {
  const { reach } = lease;
  if (!reach) return lease.may_reach.map((given) => ({ given }));
  return [
    t.reach.network,
    t.reach.memory(bytes(reach.memory_bytes)),
    t.reach.cores(reach.cpu_milli / 1000, cores(reach.cpu_milli)),
    ...(reach.folder == null ? [] : [t.reach.folder(reach.folder)]),
    ...lease.gpus.map((gpu) => t.reach.gpu(shortName(gpuName(gpu)))),
  ];
}
