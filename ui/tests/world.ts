import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Status, Wallet } from "../src/backend/types";
import { given, Running, run, until } from "./programs";
import { weeksOf } from "./weeks";

const PAGES = join(import.meta.dirname, "..", "dist");

/** The real marketplace, the real agent and the real dashboard, in a folder of their own. */
export class World {
  readonly #folder = mkdtempSync(join(tmpdir(), "sublet-ui-"));
  readonly #rig = join(this.#folder, "rig");
  readonly #market = join(this.#folder, "market");
  readonly #sublet = given("SUBLET_BIN");
  readonly #subletMarket = given("SUBLET_MARKET_BIN");
  readonly #image = given("SUBLET_SAMPLE_IMAGE");
  #marketUrl = "";
  #marketProcess: Running | undefined;
  #agent: Running | undefined;
  #dashboard: Running | undefined;

  /** Marketplace and dashboard; the agent waits for {@link startAgent}. Returns the dashboard's link. */
  async open(): Promise<string> {
    given("VK_DRIVER_FILES");
    this.#writeKeys();
    mkdirSync(this.#market);
    const patience = ["--heartbeat-ms", "500", "--suspect-ms", "5000", "--lost-ms", "10000"];
    const serve = ["serve", "--audience", "test", "--listen", "127.0.0.1:0", "--data", this.#market, ...patience];
    this.#marketProcess = new Running(this.#subletMarket, serve, join(this.#folder, "market.log"));
    const address = await until("the marketplace's address", 20_000, async () => {
      const file = join(this.#market, "address");
      return existsSync(file) ? readFileSync(file, "utf8").trim() || undefined : undefined;
    });
    this.#marketUrl = address.startsWith("http") ? address : `http://${address}`;
    await run(this.#subletMarket, ["topup", "tester", "5", "--data", this.#market]);

    const show = ["dashboard", "--port", "0", "--pages", PAGES, "--data", this.#rig];
    const dashboard = new Running(this.#sublet, show, join(this.#folder, "dashboard.log"));
    this.#dashboard = dashboard;
    return until("the dashboard's link", 20_000, async () => /http:\S+/.exec(dashboard.said())?.[0]);
  }

  /** With the rule of `preset`; with that of the settings file where there is none. */
  async startAgent(preset: readonly string[] = ["--preset", "farm"]): Promise<void> {
    const words = ["run", "--market", this.#marketUrl, "--data", this.#rig, ...preset, "--allow-software-gpu"];
    const env = { CREDENTIALS_DIRECTORY: join(this.#folder, "credentials"), DBUS_SESSION_BUS_ADDRESS: undefined };
    this.#agent = new Running(this.#sublet, words, join(this.#folder, "agent.log"), env);
    await until("the agent", 30_000, () => this.status());
  }

  /** As a power cut would end it. */
  async killAgent(): Promise<void> {
    await this.#agent?.end("SIGKILL");
  }

  /** Writes the owner's settings file, in a folder as private as the agent makes it. */
  writeSettings(text: string): void {
    mkdirSync(this.#rig, { recursive: true, mode: 0o700 });
    writeFileSync(this.settingsFile, text);
  }

  /** In order, as an owner would. */
  async endAgent(): Promise<void> {
    await this.#agent?.end("SIGTERM");
  }

  /** Puts days into the record of the agent, which must not run. */
  async record(days: number, gpu: string): Promise<void> {
    const file = join(this.#folder, "weeks.sql");
    writeFileSync(file, weeksOf(days, gpu, Date.now()));
    await run("sqlite3", ["-bail", join(this.#rig, "sublet.sqlite"), `.read ${file}`]);
  }

  /** The owner's settings file. */
  get settingsFile(): string {
    return join(this.#rig, "settings.toml");
  }

  /** What the command line says of the same agent. */
  status(): Promise<Status> {
    return this.#json<Status>("status");
  }

  wallet(): Promise<Wallet> {
    return this.#json<Wallet>("wallet");
  }

  walletCsv(): Promise<string> {
    return run(this.#sublet, ["wallet", "--csv", "--data", this.#rig]);
  }

  /** Submits a render of so many samples a pixel; each takes about a sixth of a second here. */
  async submit(name: string, samples: number): Promise<void> {
    const command = JSON.stringify(["--width", "640", "--height", "360", "--samples", String(samples)]);
    const file = join(this.#folder, "job.yaml");
    writeFileSync(
      file,
      `services:
  ${name}:
    image: ${this.#image}
    command: ${command}
    deploy: {resources: {limits: {cpus: "1", memory: 512m}}}
    x-sublet:
      gpu: {allow_software: true}
      max_price_per_hour: 0.50
      outputs: [/out/picture.png]
`,
    );
    const token = join(this.#market, "renters", "tester.token");
    await run(this.#subletMarket, ["submit", file, "--url", this.#marketUrl, "--token-file", token]);
  }

  /** Ends everything, and takes away what a job left when a test failed in its midst. */
  async close(): Promise<void> {
    const rig = await this.status().then(
      (status) => status.rig,
      () => undefined,
    );
    await this.#dashboard?.end("SIGTERM");
    await this.#agent?.end("SIGTERM");
    await this.#marketProcess?.end("SIGTERM");
    if (rig !== undefined) await this.#clear(rig);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What the programs wrote, for a failed test. */
  logs(): string {
    const logs = { market: this.#marketProcess, agent: this.#agent, dashboard: this.#dashboard };
    return Object.entries(logs)
      .map(([name, process]) => `--- ${name}\n${process?.said().slice(-4_000) ?? ""}`)
      .join("\n");
  }

  async #clear(rig: string): Promise<void> {
    const label = `label=sublet.rig=${rig}`;
    const containers = await run("docker", ["ps", "--all", "--quiet", "--filter", label]);
    for (const id of containers.split("\n").filter(Boolean)) await run("docker", ["rm", "--force", id]);
    const volumes = await run("docker", ["volume", "ls", "--quiet", "--filter", label]);
    for (const id of volumes.split("\n").filter(Boolean)) await run("docker", ["volume", "rm", "--force", id]);
  }

  async #json<T>(word: string): Promise<T> {
    // `status` ends with code 4 where it needs its owner, and still says everything.
    const text = await run("sh", ["-c", '"$0" "$@" || [ $? = 4 ]', this.#sublet, word, "--json", "--data", this.#rig]);
    return JSON.parse(text) as T;
  }

  #writeKeys(): void {
    const folder = join(this.#folder, "credentials");
    mkdirSync(folder, { mode: 0o700 });
    for (const name of ["sublet-identity", "sublet-payout"]) {
      writeFileSync(join(folder, name), randomBytes(32).toString("hex"), { mode: 0o600 });
    }
  }
}
