import type { GpuView, Reason, RigState, Status } from "./backend";
import { count, spokenUsd } from "./format";
import { shortName } from "./names";
import { type Said, sayReason } from "./said";
import { t } from "./words/index.svelte";

export interface Lead {
  /** What is so: the large sentence, part by part. */
  readonly sentence: readonly Said[];
  /** What would change it, in smaller words. */
  readonly notes: readonly Said[];
  /** What the agent adds in its own words, where the page's language leaves it out. */
  readonly detail?: string | undefined;
  /** The reason that it tells, where it tells one. */
  readonly reason: Reason | undefined;
}

/** The one sentence: is the GPU mine or rented, why, and what did it earn. */
export function leadOf(status: Status): Lead {
  if (status.state === "renting" || status.state === "ready") {
    const earned = status.today === 0 ? t.lead.earnedNothing : t.lead.earned(spokenUsd(status.today));
    const waits = status.state === "ready" ? status.gpus.find((gpu) => gpu.state === "ready")?.reasons[0] : undefined;
    const said = waits && sayReason(waits);
    const notes = said ? [said.text, said.remedy] : [];
    return { sentence: [gpusOf(status, status.state), earned], notes, reason: waits };
  }
  const reason = leadingReason(status);
  if (!reason) {
    return { sentence: [wordOf(status.state), t.lead.noGpu], notes: [t.lead.noGpuRemedy], reason };
  }
  const { text, more, remedy } = sayReason(reason);
  const notes = [remedy];
  if (reason.code === "program_runs" && reason.figures?.["kind"] === "game") {
    return { sentence: [t.lead.playing], notes: [text, ...notes], reason };
  }
  if (reason.code === "owner_present") return { sentence: [t.lead.present], notes: [text, ...notes], reason };
  return { sentence: [wordOf(status.state), text], notes, detail: more?.given, reason };
}

function gpusOf(status: Status, state: "renting" | "ready"): string {
  const gpus = status.gpus.filter((gpu) => gpu.state === state);
  const [only] = gpus;
  if (only && gpus.length === 1) return t.lead[state](shortName(only.info.name));
  return t.lead[`${state}Some`](count(gpus.length));
}

function wordOf(state: RigState): string {
  if (state === "yours") return t.lead.yours;
  return state === "needs_you" ? t.lead.needsYou : t.lead.waiting;
}

/** The agent's choice; where its sentence does not tell, the first reason of the GPU that is nearest to renting. */
function leadingReason({ gpus, sentence }: Status): Reason | undefined {
  const reasons = gpus.flatMap((gpu) => gpu.reasons);
  return reasons.find(({ text, remedy }) => sentence.endsWith(`${text} ${remedy}`)) ?? nearest(gpus)?.reasons[0];
}

function nearest(gpus: readonly GpuView[]): GpuView | undefined {
  return gpus.filter((gpu) => gpu.reasons.length > 0).sort((a, b) => a.reasons.length - b.reasons.length)[0];
}
