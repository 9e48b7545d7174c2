import type { rigs as english } from "./en.rigs";

export const rigs: typeof english = {
  one: "这个钱包下有一台机器：就是这台。",
  oneMore: "每台机器只知道自己，所以本页还不能显示其他机器。",
  this: "这台机器",
  id: "编号",
  payout: "收款地址",
  gpus: "显卡",
  today: "今日收入",
  all: "总收入",
  version: "版本",
  more: "更多机器",
  moreHow: "每台机器都运行自己的代理程序，有自己的名字和账本：",
  install: "在那台机器上安装 Sublet，用 `sublet run` 启动。",
  look: "在那台机器上用 `sublet dashboard` 查看，或在这里运行 `ssh -L 7340:127.0.0.1:7340 RIG sublet dashboard`。",
  wallet: "如果要收款到同一个地址，请在首次启动前给它同样的收款密钥：凭据 `sublet-payout`。",
};
