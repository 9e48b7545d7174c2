import { t, type Words } from "./words/index.svelte";

export type PageName = keyof Words["pages"];

export interface Route {
  readonly page: PageName;
  /** The lease that is opened on the page. */
  readonly open: string | undefined;
}

const PAGES = Object.keys(t.pages) as PageName[];

export function parseRoute(hash: string): Route {
  const [, name, id] = hash.split("/");
  const page = PAGES.find((one) => one === name) ?? "home";
  return { page, open: id ? decodeURIComponent(id) : undefined };
}

export function href(page: PageName, open?: string): string {
  return open === undefined ? `#/${page}` : `#/${page}/${encodeURIComponent(open)}`;
}

class Router {
  route = $state.raw<Route>(parseRoute(location.hash));

  constructor() {
    addEventListener("hashchange", () => {
      this.route = parseRoute(location.hash);
    });
  }

  /** Opens or closes a row without a step in the browser's history. */
  toggle(id: string): void {
    const { page, open } = this.route;
    location.replace(href(page, open === id ? undefined : id));
  }
}

export const router = new Router();
