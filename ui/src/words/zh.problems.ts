import type { problems as english } from "./en.problems";

export const problems: typeof english = {
  bad_request: "不允许这样做。",
  not_found: "这里没有这个内容。",
  conflict: "现在不能这样做。",
  unavailable: "代理程序太忙，或者无法保存任何内容。",
  internal: "代理程序内部出了问题。",
  unauthorized: "这个链接已失效。",
  forbidden: "那属于别人。",
  too_large: "一次太多了。",
  unknown: "代理程序拒绝了。",
};
