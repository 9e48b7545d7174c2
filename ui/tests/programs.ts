import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What an environment variable of the set-up says. */
export function given(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new Error(`${name} is not set: run these tests with \`cargo xtask test ui\``);
  }
  return value;
}

/** Asks until there is an answer. Says what was missing last when there is none in time. */
export async function until<T>(what: string, withinMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + withinMs;
  let last = "";
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = String(error);
    }
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}; ${last}`);
    await sleep(100);
  }
}

/** Runs a program to its end and returns what it wrote. */
export function run(program: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { env: { ...process.env, ...env }, timeout: 60_000 }, (error, out, err) => {
      if (error) reject(new Error(`${program} ${words.join(" ")}: ${error.message}\n${out}${err}`));
      else resolve(out);
    });
  });
}

/** A program that runs until it is ended. */
export class Running {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<void>;

  constructor(program: string, words: readonly string[], log: string, env: NodeJS.ProcessEnv = {}) {
    const file = openSync(log, "a");
    this.#child = spawn(program, words, { env: { ...process.env, ...env }, stdio: ["ignore", file, file] });
    closeSync(file);
    this.#log = log;
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.once("error", () => resolve());
    });
  }

  said(): string {
    return readFileSync(this.#log, "utf8");
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), 15_000);
    await this.#ended;
    clearTimeout(patience);
  }
}
