import type { Reason, Status } from "./backend";

export interface Lead {
  /** What is so: the large sentence. */
  readonly sentence: string;
  /** The reason that the sentence tells, where it tells one. */
  readonly reason: Reason | undefined;
}

/** The agent's sentence ends with what would change things; that stands in smaller words, so that the state leads. */
export function leadOf(status: Status): Lead {
  const reasons = status.gpus.flatMap((gpu) => gpu.reasons);
  const reason = reasons.find(({ text, remedy }) => status.sentence.endsWith(`${text} ${remedy}`));
  if (!reason) return { sentence: status.sentence, reason };
  return { sentence: status.sentence.slice(0, -reason.remedy.length).trimEnd(), reason };
}
