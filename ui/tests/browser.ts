import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import type { AxeResults } from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { type Language, LANGUAGES } from "../src/words/choice";
import { speak, strays } from "./texts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const SOON_MS = 30_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const UI = join(import.meta.dirname, "..");

const PICTURES = join(UI, "dist-pictures");

/** Pictures of the documentation, which `SUBLET_PICTURES=docs cargo xtask test ui` renews. */
const DOCUMENTED =
  /^(first-run-when|home-first|home-renting|home-agent-away|why|why-day|jobs|wallet|settings)-(light|dark)$|^(home-renting|why)-(de|zh)$/;

const OTHERS = (Object.keys(LANGUAGES) as Language[]).filter((language) => language !== "en");

function folderFor(name: string): string {
  const renewed = process.env["SUBLET_PICTURES"] === "docs" && DOCUMENTED.test(name);
  return renewed ? join(UI, "..", "docs", "pictures") : PICTURES;
}

export const SCHEMES = ["light", "dark"] as const;

function program(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (found === undefined) throw new Error("no Chromium on this machine: run these tests with `cargo xtask test ui`");
  return found;
}

/** An owner's browser, and everything that went wrong in its pages. */
export class Owner {
  readonly #browser: Browser;
  readonly #context: BrowserContext;
  readonly page: Page;
  /** Script errors, and what the content policy refused. */
  readonly faults: string[];

  private constructor(browser: Browser, context: BrowserContext, page: Page, faults: string[]) {
    this.#browser = browser;
    this.#context = context;
    this.page = page;
    this.faults = faults;
  }

  static async sitDown(): Promise<Owner> {
    const env = { ...process.env, FONTCONFIG_FILE: join(UI, "tests", "fonts.conf") } as Record<string, string>;
    const browser = await chromium.launch({ executablePath: program(), args: FLAGS, env });
    const context = await browser.newContext({ viewport: { width: 900, height: 600 }, acceptDownloads: true, locale: "en-GB" });
    context.setDefaultTimeout(SOON_MS);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) faults.push(message.text());
    });
    return new Owner(browser, context, page, faults);
  }

  /** Another window of the same browser, which knows nothing of the first one's tab. */
  newWindow(): Promise<Page> {
    return this.#context.newPage();
  }

  /** The sentence that leads the page, once it fits. */
  async reads(sentence: RegExp, withinMs = SOON_MS): Promise<string> {
    const heading = this.page.getByRole("heading", { level: 1 }).filter({ hasText: sentence });
    await heading.waitFor({ timeout: withinMs });
    return heading.innerText();
  }

  async press(button: string | RegExp): Promise<void> {
    await this.page.getByRole("button", { name: button }).click();
  }

  async goTo(page: "Home" | "Why not?" | "Jobs" | "Wallet" | "Rigs" | "Settings"): Promise<void> {
    await this.page.getByRole("navigation").getByRole("link", { name: page }).click();
  }

  /**
   * Looks at the page as it stands: a picture in light and dark, and one in each other language. Returns what is wrong
   * with it: what axe finds, what is wider than the window, and texts that are in no catalogue.
   */
  async picture(name: string): Promise<string[]> {
    const wrong: string[] = [];
    // The mouse of the last click would leave something highlighted.
    await this.page.mouse.move(0, 0);
    for (const colorScheme of SCHEMES) {
      await this.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      wrong.push(...(await this.#look(`${name}-${colorScheme}`)));
    }
    for (const [index, language] of OTHERS.entries()) {
      await this.page.emulateMedia({ colorScheme: SCHEMES[index % SCHEMES.length] ?? "light", reducedMotion: "reduce" });
      await speak(this.page, language);
      wrong.push(...(await this.#look(`${name}-${language.slice(0, 2)}`)));
    }
    await speak(this.page, "marked");
    wrong.push(...(await strays(this.page)).map((text) => `${name}: in no catalogue: ${text}`));
    await speak(this.page, undefined);
    return wrong;
  }

  /** Looks from a wide window. */
  async wide(look: () => Promise<void>): Promise<void> {
    await this.page.setViewportSize({ width: 1440, height: 900 });
    await look();
    await this.page.setViewportSize({ width: 900, height: 600 });
  }

  /** Whether the page fits its window in every language. Returns what is wrong with it, as {@link picture} does. */
  async fits(name: string): Promise<string[]> {
    const wrong = await this.#look(name);
    for (const language of OTHERS) {
      await speak(this.page, language);
      if (await this.#overflows()) wrong.push(`${name}: it is wider than the window in ${language}`);
    }
    await speak(this.page, undefined);
    return wrong;
  }

  async #look(name: string): Promise<string[]> {
    const folder = folderFor(name);
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    const wrong = await this.#axe();
    if (await this.#overflows()) wrong.push("it is wider than the window");
    return wrong.map((what) => `${name}: ${what}`);
  }

  #overflows(): Promise<boolean> {
    return this.page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  }

  async leave(): Promise<void> {
    await this.#browser.close();
  }

  async #axe(): Promise<string[]> {
    await this.page.evaluate(AXE);
    const { violations } = (await this.page.evaluate("axe.run()")) as AxeResults;
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  }
}
