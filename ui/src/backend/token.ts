const KEY = "sublet-token";

/**
 * The token of the link that `sublet dashboard` printed. It leaves the address bar at once, and is kept for this tab
 * alone, so that a reload works.
 */
export function takeToken(): string {
  const found = /^#token=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (found !== undefined) {
    sessionStorage.setItem(KEY, found);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? "";
}
