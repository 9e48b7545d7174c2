/** Every setting that the pages have words for. */
export type SettingKey =
  | "rent.mode"
  | "rent.away_minutes"
  | "rent.hours"
  | "rent.settle_seconds"
  | "rent.min_slice_minutes"
  | "rent.grace_seconds"
  | "rent.on_battery"
  | "rent.on_metered"
  | "rent.allow_software_gpu"
  | "price.floor"
  | "price.electricity"
  | "price.bands"
  | "heat.target_c"
  | "heat.hot_c"
  | "heat.cool_c"
  | "quiet.power_percent"
  | "quiet.fan_percent"
  | "programs.exclusive"
  | "limits.cpus"
  | "limits.memory_mib"
  | "limits.output_mib"
  | "limits.disk_mib"
  | "limits.reserve_mib"
  | "limits.image_cache_mib"
  | "limits.run_minutes"
  | "work.categories"
  | "work.refused_categories"
  | "work.publishers"
  | "work.refused_publishers"
  | "market.url"
  | "market.unpaid_limit_seconds";

export interface KeyTexts {
  /** In two or three words. */
  readonly name: string;
  /** In one line. */
  readonly says: string;
  /** What it risks. */
  readonly risk?: string;
}
