import type { CheckTexts } from "./check-texts";

const FOLDER = "数据文件夹";
const DISK = "磁盘";
const DRIVER = "NVIDIA 驱动";
const VULKAN = "Vulkan 加载器";
const ADAPTERS = "图形适配器";
const PRESENCE = "使用状态";
const KEYS = "密钥";
const MARKET = "市场";
const LEDGER = "账本";

const PRESENCE_REMEDY = "请在桌面会话中启动代理程序，或允许它读取输入设备。如果没有人使用这台机器，请选择“一直”。";

export const checks: CheckTexts = {
  agent_runs: (f) => ({ name: "代理程序", found: `正在运行，版本 ${f.name("version")}。` }),
  folder_writable: (f) => ({ name: FOLDER, found: `${f.name("folder")} 可以写入。` }),
  folder_new: (f) => ({ name: FOLDER, found: `${f.name("folder")} 会在启动时创建。` }),
  folder_refused: (f) => ({
    name: FOLDER,
    found: `${f.name("folder")} 无法写入。`,
    remedy: "请给当前用户写入权限，或用 `--data` 指定其他文件夹。",
  }),
  disk_unknown: () => ({ name: DISK, found: "不知道剩余空间。", remedy: "请检查数据文件夹所在的磁盘。" }),
  disk_full: (f) => ({ name: DISK, found: `剩余 ${f.size("free_bytes")}。`, remedy: "请至少腾出 256 MiB，最好 10 GiB。" }),
  disk_tight: (f) => ({ name: DISK, found: `剩余 ${f.size("free_bytes")}。`, remedy: "请腾出 10 GiB：每个任务的镜像有几 GiB。" }),
  disk_good: (f) => ({ name: DISK, found: `剩余 ${f.size("free_bytes")}。` }),
  docker_away: () => ({
    name: "Docker",
    found: "没有响应。",
    remedy: "请启动 Docker，并允许当前用户访问它的套接字（Linux 上是 docker 组）。在 Debian 和 Ubuntu 上安装：`apt install docker.io`",
  }),
  docker_unfiltered: (f) => ({
    name: "Docker",
    found: `${f.name("engine")} 有响应，但没有过滤系统调用。`,
    remedy: "请用默认的 seccomp 配置启动 Docker，否则不会运行任何任务。",
  }),
  docker_good: (f) => ({ name: "Docker", found: `${f.name("engine")} 正常。` }),
  nvidia_not_in_docker: (f) => ({
    name: DRIVER,
    found: `驱动 ${f.name("driver")}，但 Docker 无法使用 NVIDIA GPU。`,
    remedy: "请安装 NVIDIA Container Toolkit，然后重启 Docker。",
  }),
  nvidia_good: (f) => ({ name: DRIVER, found: `驱动 ${f.name("driver")}。` }),
  nvidia_not_loaded: () => ({
    name: DRIVER,
    found: "有 NVIDIA 显卡，但驱动没有加载。",
    remedy: "请安装 NVIDIA 驱动或加载它（`modprobe nvidia`），然后重启代理程序。",
  }),
  nvidia_none: () => ({ name: DRIVER, found: "没有 NVIDIA 显卡，不需要。" }),
  nvidia_unknown: () => ({ name: DRIVER, found: "没有找到 NVIDIA 驱动。", remedy: "如果这台机器有 NVIDIA 显卡，请安装驱动。" }),
  vulkan_good: (f) => ({ name: VULKAN, found: `已找到 ${f.name("file")}。` }),
  vulkan_missing: () => ({ name: VULKAN, found: "没有找到。", remedy: "在 Debian 和 Ubuntu 上：`apt install libvulkan1`" }),
  adapters_failed: () => ({ name: ADAPTERS, found: "无法列出。", remedy: "请更新显卡驱动；`sublet gpus` 会显示不用驱动也能看到的内容。" }),
  adapters_none: () => ({ name: ADAPTERS, found: "没有找到。", remedy: "请安装显卡驱动及其 Vulkan 部分。" }),
  adapters_software: (f) => ({
    name: ADAPTERS,
    found: `只有软件适配器：${f.name("names")}。`,
    remedy: "只有用 `sublet run --allow-software-gpu` 启动，才会出租它。",
  }),
  adapters_good: (f) => ({ name: ADAPTERS, found: `找到 ${f.name("names")}。` }),
  presence_looking: () => ({ name: PRESENCE, found: "传感器还没有全部响应。", remedy: "请稍后再看。" }),
  presence_good: () => ({ name: PRESENCE, found: "可以知道是否有人在使用这台机器。" }),
  presence_no_seat: () => ({ name: PRESENCE, found: "这里没有键盘、鼠标或显示器，不会有人使用。" }),
  presence_unknown: () => ({ name: PRESENCE, found: "没有显示器或输入设备能说明是否有人在使用。", remedy: PRESENCE_REMEDY }),
  presence_failing: () => ({ name: PRESENCE, found: "无法知道是否有人在使用这台机器。", remedy: PRESENCE_REMEDY }),
  market_good: (f) => ({ name: MARKET, found: `${f.name("url")} 正常。` }),
  market_away: (f) => ({ name: MARKET, found: `${f.name("url")} 没有响应。`, remedy: "请检查地址和网络；程序会自动重试。" }),
  ledger_good: () => ({ name: LEDGER, found: "每一项合计都与明细相符。" }),
  ledger_unwritable: () => ({ name: LEDGER, found: "无法写入。", remedy: "请腾出磁盘空间，或让数据文件夹可写。" }),
  ledger_unreadable: () => ({ name: LEDGER, found: "无法读取。", remedy: "请检查数据文件夹所在的磁盘，然后重启代理程序。" }),
  ledger_wrong: () => ({ name: LEDGER, found: "有一项合计不符。", remedy: "请保留数据文件夹的副本，并报告这个问题。" }),
  keys_kept: () => ({ name: KEYS, found: "已安全保存。" }),
  settings_unreadable: () => ({ name: "设置", found: "设置文件无效。", remedy: "请修正它，程序会自动重新读取。" }),
  gpu_lost: (f) => ({ name: f.name("gpu"), found: "它不见了。", remedy: "请重启机器；如果仍然如此，请重装驱动。" }),
  gpu_unreadable: (f) => ({ name: f.name("gpu"), found: "无法读取它的传感器。", remedy: "请重启机器；如果仍然如此，请重装驱动。" }),
  driver_problem: () => ({ name: "显卡驱动", found: "启动时有些内容无法查看。", remedy: "请解决“详情”里的问题，然后重启代理程序。" }),
  containment_holds: () => ({
    name: "隔离",
    found: "已在容器中实测：系统调用受到过滤，没有特权，没有网络，根目录不可写，内存和进程数受到限制。",
  }),
  containment_gaps: () => ({
    name: "隔离",
    found: "有些隔离措施没有生效。在此之前不会出租。",
    remedy: "`sublet doctor` 会列出缺口以及各自的解决办法。",
  }),
  cpu_limited: () => ({ name: "处理器份额", found: "限制已生效。" }),
  cpu_unlimited: () => ({
    name: "处理器份额",
    found: "限制没有生效：只要没有别的程序需要，任务可以占用所有核心。",
    remedy: "请启用内核的 cpu 控制器（CONFIG_CFS_BANDWIDTH）。",
  }),
  apparmor_in_force: (f) => ({ name: "AppArmor", found: `配置 ${f.name("profile")} 已生效。` }),
  apparmor_missing: () => ({
    name: "AppArmor",
    found: "无论 Docker 怎么说，任务都没有生效的 AppArmor 配置。",
    remedy: "在 Debian 和 Ubuntu 上：`apt install apparmor`，然后重启。如果系统使用的是 SELinux，可以保持现状。",
  }),
  users_mapped: () => ({ name: "用户命名空间", found: "Docker 会把任务的用户映射为其他用户。" }),
  users_not_mapped: () => ({
    name: "用户命名空间",
    found: "Docker 没有映射用户：任务的用户 65534 在这台机器上也是用户 65534。",
    remedy: "请在 Docker 的 daemon.json 中把“userns-remap”设为“default”并重启 Docker；之前的镜像和容器将不再可见。",
  }),
  gvisor_works: () => ({ name: "gVisor", found: "可用：不需要 NVIDIA GPU 的任务在其中运行。" }),
  gvisor_absent: () => ({ name: "gVisor", found: "没有安装；任务在过滤器之后共用这台机器的内核。" }),
  gvisor_broken: () => ({
    name: "gVisor",
    found: "Docker 有它的运行时，但无法工作。",
    remedy: "请在 Docker 的 daemon.json 中为运行时 `runsc` 写明完整路径，旧版本还要加上“--network=none”；或者把它移除。",
  }),
  quota_for_volumes: () => ({ name: "磁盘配额", found: "Docker 可以限制任务卷的大小，磁盘也受到监视。" }),
  quota_for_layers: () => ({ name: "磁盘配额", found: "Docker 只限制容器自身的层，不限制卷；因此改为监视磁盘。" }),
  quota_watched: () => ({ name: "磁盘配额", found: "Docker 的存储没有配额；因此每秒监视磁盘五次。" }),
  gpus_by_cdi: () => ({ name: "GPU 访问", found: "Docker 按名称分配 NVIDIA GPU（CDI）。" }),
  gpus_by_runtime: () => ({ name: "GPU 访问", found: "Docker 通过 NVIDIA 的运行时分配 GPU。" }),
  gpus_broken: () => ({
    name: "GPU 访问",
    found: "Docker 有 NVIDIA 的运行时，但无法工作。",
    remedy: "请重新安装 NVIDIA Container Toolkit，运行 `nvidia-ctk runtime configure`，然后重启 Docker。",
  }),
  gpus_none: () => ({ name: "GPU 访问", found: "Docker 没有分配 NVIDIA GPU；只有装有显卡时才有影响。" }),
};
