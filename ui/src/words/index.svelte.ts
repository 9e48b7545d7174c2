import { isLanguage, type Language, languageFor, localeFor } from "./choice";
import { de } from "./de";
import { en, type Words } from "./en";
import { zh } from "./zh";

export { type Language, LANGUAGES } from "./choice";
export type { Words } from "./en";

const CATALOGUES: Record<Language, Words> = { en, de, "zh-Hans": zh };
const KEY = "sublet-language";
/** For tests: English in brackets, so that a text that is in no catalogue stands out. */
const MARKED = "marked";

/** The language of the pages: the browser's, unless another one was chosen. */
class Speech {
  /** What was chosen; kept in this browser. */
  chosen = $state.raw<Language>();
  #wishes = $state.raw<readonly string[]>([]);
  #marked = $state.raw<Words>();

  constructor() {
    if (typeof window === "undefined") return;
    this.#hear();
    this.#recall();
    addEventListener("languagechange", () => this.#hear());
    // Another window of the same browser chose.
    addEventListener("storage", (event) => {
      if (event.key === KEY) this.#recall();
    });
  }

  get language(): Language {
    return this.chosen ?? languageFor(this.#wishes);
  }

  get words(): Words {
    return this.#marked ?? CATALOGUES[this.language];
  }

  get locale(): string {
    return localeFor(this.language, this.words.locale, this.#wishes);
  }

  /** Speaks `language` from now on; the browser's again where there is none. */
  choose(language: Language | undefined): void {
    this.chosen = language;
    if (typeof localStorage === "undefined") return;
    if (language === undefined) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, language);
  }

  #hear(): void {
    this.#wishes = navigator.languages;
  }

  #recall(): void {
    const kept = localStorage.getItem(KEY);
    this.chosen = isLanguage(kept) ? kept : undefined;
    if (kept !== MARKED) this.#marked = undefined;
    else void import("./marked").then(({ marked }) => (this.#marked = marked(en)));
  }
}

export const speech = new Speech();

/** The words of the language that is spoken now; whoever reads one follows a change of it. */
export const t: Words = new Proxy(en, { get: (_, key) => Reflect.get(speech.words, key) });
