import type { Send } from "./http";

/** Through `sublet dashboard`, which serves these pages to a browser. */
export function throughBrowser(token: string): Send {
  return (method, path, signal, body) => {
    const headers = new Headers({ Authorization: `Bearer ${token}` });
    const request: RequestInit = { method, signal, headers, cache: "no-store" };
    if (body !== undefined) {
      headers.set("Content-Type", "application/json");
      request.body = body;
    }
    return fetch(`/local/v1/${path}`, request);
  };
}
