import type { Earning, Wallet } from "./backend";
import { spokenUsd } from "./format";
import { t } from "./words/index.svelte";

export type Proof = "all" | "part" | "none";

export function proofOf(earning: Earning): Proof {
  if (earning.proven >= earning.net) return "all";
  return earning.proven > 0 ? "part" : "none";
}

/** The wallet in one sentence. */
export function walletSentence(wallet: Wallet): string {
  const net = spokenUsd(wallet.net);
  if (wallet.net === 0) return t.wallet.empty;
  if (wallet.proven >= wallet.net) return t.wallet.allProven(net);
  return wallet.proven > 0 ? t.wallet.partlyProven(net, spokenUsd(wallet.proven)) : t.wallet.noneProven(net);
}
