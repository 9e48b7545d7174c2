import type { rigs as english } from "./en.rigs";

export const rigs: typeof english = {
  one: "Ein Rechner zahlt in dieses Kassenbuch ein: dieser.",
  oneMore: "Ein Rechner kennt nur sich selbst; andere kann diese Seite noch nicht zeigen.",
  this: "Dieser Rechner",
  id: "Kennung",
  payout: "Zahlt an",
  gpus: "Grafikkarten",
  today: "Heute verdient",
  all: "Insgesamt verdient",
  version: "Programmversion",
  more: "Weitere Rechner",
  moreHow: "Auf jedem Rechner läuft ein eigener Agent, mit eigenem Namen und eigenem Kassenbuch:",
  install: "Installiere Sublet dort und starte es mit `sublet run`.",
  look: "Sieh es dir dort mit `sublet dashboard` an, oder von hier aus mit `ssh -L 7340:127.0.0.1:7340 RIG sublet dashboard`.",
  wallet:
    "Soll er an dieselbe Adresse zahlen, gib ihm vor dem ersten Start denselben Auszahlungsschlüssel: die Zugangsdaten `sublet-payout`.",
};
