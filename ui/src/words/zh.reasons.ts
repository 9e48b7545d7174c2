import type { Figures } from "../figures";
import { shortName } from "../names";
import type { ReasonTexts } from "./reason-texts";

const BY_ITSELF = "稍后会自动重试。";

const READINGS: Record<string, string> = {
  programs: "正在运行哪些程序",
  touch: "上次有人使用这台机器的时间",
  watching: "是否有人在观看内容",
  power: "是否正在使用电池",
  metered: "网络是否按流量计费",
  temperature: "GPU 的温度",
  users: "谁在使用 GPU",
  power_draw: "GPU 的功耗",
};

const TOUCHED: Record<string, string> = {
  desk: "有人正在使用键盘或鼠标。",
  gamepad: "有人正在使用手柄。",
  remote: "有人正在远程使用这台机器。",
};

/** "……5 分后恢复出租。" */
function again(f: Figures, event: string): string {
  return f.number("after_ms") === 0 ? `${event}后即恢复出租。` : `${event}后再过 ${f.span("after_ms")}恢复出租。`;
}

function more(f: Figures, name: string): string {
  return f.has("more") && f.number("more") > 0 ? `${name}（以及另外 ${f.count("more")} 个）` : name;
}

export const reasons: ReasonTexts = {
  agent_away: () => ({ text: "代理程序没有运行。", remedy: "用 `sublet run` 启动它。" }),
  paused_by_owner: (f) => ({
    text: f.has("gpu") ? `你暂停了 ${shortName(f.name("gpu"))} 的出租。` : "你暂停了出租。",
    remedy: f.has("until_ms") ? `${f.time("until_ms")} 恢复出租，你也可以随时手动恢复。` : "等你手动恢复。",
  }),
  switched_off: () => ({ text: "你关闭了这块 GPU 的出租。", remedy: "可以在设置中重新打开。" }),
  not_set_up: () => ({
    text: "你还没有选择何时出租。",
    remedy: "请在窗口中选择，或运行 `sublet settings preset`：gamer、studio、farm 或 laptop。",
  }),
  settings_unreadable: () => ({ text: "无法读取设置。", remedy: "请修正设置文件，程序会自动重新读取。" }),
  needs_owner: () => ({ text: "有一件事只有你能解决。", remedy: "运行 `sublet doctor` 可以查看该怎么做。" }),
  ledger_unwritable: () => ({
    text: "无法写入账本。",
    remedy: `请腾出磁盘空间，或让数据文件夹可写。${BY_ITSELF}`,
  }),
  gpu_lost: () => ({ text: "GPU 不见了。", remedy: "请重启机器或驱动，程序会自动重新查找。" }),
  memory_held: () => ({
    text: "任务已结束，但它占用的显存没有释放。",
    remedy: "释放之前不会运行新任务，程序会自动再次检查。",
  }),
  reading_unknown: (f) => {
    const reading = READINGS[f.name("reading")];
    return {
      text: reading ? `无法得知${reading.startsWith("GPU") ? " " : ""}${reading}。` : "缺少一个必需的读数。",
      remedy: "会自动重新读取；运行 `sublet doctor` 可以了解更多。",
    };
  },
  program_runs: (f) => ({ text: `${more(f, f.name("program"))} 正在运行。`, remedy: again(f, "它关闭") }),
  owner_present: (f) => ({
    text: TOUCHED[f.name("by")] ?? "有人正在使用这台机器。",
    remedy: `连续 ${f.span("away_ms")}无人操作后恢复出租；如果没人回来，还需 ${f.span("left_ms")}。`,
  }),
  watching: (f) => ({
    text:
      f.name("how") === "full_screen"
        ? `${more(f, f.name("program"))} 正在全屏显示。`
        : `${more(f, f.name("program"))} 让屏幕保持常亮。`,
    remedy: again(f, "它结束，或屏幕锁定、关闭之"),
  }),
  gpu_in_use: (f) => ({ text: `${more(f, f.name("program"))} 正在使用 GPU。`, remedy: again(f, "它关闭") }),
  returning: () => ({ text: "任务已结束，正在确认显存是否释放。", remedy: "马上就好。" }),
  too_hot: (f) => ({
    text:
      f.name("sensor") === "hotspot"
        ? `GPU 最热处为 ${f.celsius("celsius")}。`
        : `GPU 温度为 ${f.celsius("celsius")}。`,
    remedy: `降到 ${f.celsius("cool_c")} 以下后恢复出租。`,
  }),
  on_battery: (f) => ({
    text: f.has("percent") ? `机器正在使用电池，剩余 ${f.percent("percent")}。` : "机器正在使用电池。",
    remedy: again(f, "接上电源"),
  }),
  metered_network: (f) => ({ text: "当前网络按流量计费。", remedy: again(f, "换用其他网络") }),
  outside_hours: (f) =>
    f.has("opens_ms")
      ? { text: "现在不在你选择的时段内。", remedy: `${f.time("opens_ms")} 恢复出租。` }
      : { text: "你选择了按时段出租，但没有选择任何时段。", remedy: "请在设置中选择时段。" },
  settling: (f) => ({ text: "刚才的阻碍才消除不久。", remedy: `保持 ${f.span("settle_ms")}不变后出租。` }),
  software_gpu: () => ({
    text: "这不是显卡，实际由处理器运算。",
    remedy: "如果仍想出租，可以在设置中允许。",
  }),
  not_benchmarked: () => ({ text: "你的 GPU 在当前驱动下还没有跑分。", remedy: "请运行跑分。" }),
  docker_unavailable: (f) =>
    f.has("problem")
      ? { text: "Docker 没有响应。", remedy: BY_ITSELF }
      : { text: "正在向 Docker 查询现有内容。", remedy: "马上就好。" },
  market_unreachable: (f) => ({
    text: f.has("problem") ? "市场没有响应。" : "市场还没有答复。",
    remedy: BY_ITSELF,
  }),
  below_cost: (f) => {
    if (f.has("cost")) {
      return {
        text: `扣除手续费后，任务每小时付 ${f.money("net")}，而电费要 ${f.money("cost")}。`,
        remedy: "租金足以支付电费时恢复出租。",
      };
    }
    if (!f.has("price")) return { text: "市场收走了全部租金，怎样都不够付电费。", remedy: "手续费降低后恢复出租。" };
    const draw = f.name("power") === "measured" ? `实测 ${f.watts("watts")}` : `最高 ${f.watts("watts")}`;
    return {
      text: `目前最高出价为每小时 ${f.money("price")}，付电费还差 ${f.money("short")}（${draw}，每度电 ${f.money("kwh")}）。`,
      remedy: `出价达到每小时 ${f.money("least")}，扣除手续费后就够付电费，届时会出租。`,
    };
  },
  below_floor: (f) => ({
    text: `目前最高出价为每小时 ${f.money("price")}，你的最低租金是 ${f.money("floor")}。`,
    remedy: "有人出到这个价，或你降低最低租金后，就会出租。",
  }),
  no_demand: (f) => ({
    text: "还没有任务需要这块 GPU。",
    remedy: `有任务每小时付 ${f.money("floor")} 或更多时，就会出租。`,
  }),
};
