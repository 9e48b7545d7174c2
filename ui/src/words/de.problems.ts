import type { problems as english } from "./en.problems";

export const problems: typeof english = {
  bad_request: "Was verlangt wurde, ist nicht erlaubt.",
  not_found: "So etwas gibt es hier nicht.",
  conflict: "Das geht gerade nicht.",
  unavailable: "Der Agent ist zu beschäftigt oder kann nichts speichern.",
  internal: "Im Agenten ist etwas fehlgeschlagen.",
  unauthorized: "Der Link gilt nicht mehr.",
  forbidden: "Das gehört jemand anderem.",
  too_large: "Das ist zu viel auf einmal.",
  unknown: "Der Agent hat abgelehnt.",
};
