/** All rigs under a wallet: today, this one. */
export const rigs = {
  one: "One rig pays into this wallet: this one.",
  oneMore: "A rig knows itself alone, so this page cannot show others yet.",
  this: "This rig",
  id: "Id",
  payout: "Pays to",
  gpus: "GPUs",
  today: "Earned today",
  all: "Earned in all",
  version: "Version",
  more: "More rigs",
  moreHow: "Every machine runs an agent of its own, with a name and a ledger of its own:",
  install: "Install Sublet there and start it with `sublet run`.",
  look: "Look at it with `sublet dashboard` there, or from here through `ssh -L 7340:127.0.0.1:7340 RIG sublet dashboard`.",
  wallet: "To have it pay to the same address, give it the same payout key: the credential `sublet-payout`, before its first start.",
};
