import type { Page } from "playwright-core";
import type { Language } from "../src/words/choice";

/** As the pages keep it: see words/index.svelte.ts. */
const KEY = "sublet-language";

/** Has the page speak a language, or bracket the texts of its catalogue, without losing what is open on it. */
export async function speak(page: Page, language: Language | "marked" | undefined): Promise<void> {
  await page.evaluate(
    ([key, value]) => {
      if (value === undefined) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
      // What the browser tells every other window of the same origin.
      dispatchEvent(new StorageEvent("storage", { key, newValue: value ?? null }));
    },
    [KEY, language] as const,
  );
  const shows = language === "marked" ? "⟦" : undefined;
  await page.waitForFunction(
    ([tag, mark]) =>
      mark === undefined
        ? document.documentElement.lang === tag && !document.title.includes("⟦")
        : document.title.includes(mark),
    [language ?? "en", shows] as const,
  );
}

/**
 * Letters on the page, or in what it tells a screen reader, that come from no catalogue. Names and whatever else the
 * agent gave are marked as not to be translated, and left out.
 */
export async function strays(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const NAMES = ["aria-label", "title", "placeholder", "alt"];
    const letter = /\p{L}/u;
    const found: string[] = [];
    let depth = 0;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const element = node instanceof Element ? node : node.parentElement;
      if (!element || element.closest("[translate=no], script, style, noscript")) continue;
      if (node instanceof Element) {
        for (const name of NAMES) {
          const text = node.getAttribute(name);
          if (text !== null && letter.test(text) && !/^⟦.*⟧$/su.test(text)) found.push(`${name}="${text}"`);
        }
        continue;
      }
      let outside = "";
      for (const sign of node.textContent ?? "") {
        if (sign === "⟦") depth += 1;
        else if (sign === "⟧") depth -= 1;
        else if (depth === 0) outside += sign;
      }
      if (letter.test(outside)) found.push(outside.trim());
    }
    if (depth !== 0) found.push(`${depth} brackets are left open`);
    return found;
  });
}

/** What stands on the page in the agent's own English, though the page speaks another language. */
export async function given(page: Page): Promise<string[]> {
  return page.locator('main [lang="en"]').allInnerTexts();
}
