import type { outcome as english } from "./en.outcome";

export const outcome: typeof english = {
  reckoning: "Wird berechnet …",
  range: (low, high) => `${low} bis ${high}`,
  hours: (hours) => `${hours} h`,
  aWeek: "In einer Woche",
  free: "Frei zum Vermieten",
  left: "Bleibt dir",
  leftNote: "nach Gebühr und Strom",
  leftUnpriced: "nach Gebühr; für Strom ist noch kein Preis gesetzt",
  leftUnknown: "nach Gebühr; wie viel Strom es braucht, ist nicht bekannt",
  loss: "Ein Verlust ist möglich: Der Strom kann mehr kosten, als Aufträge zahlen.",
  same: "Eine solche Woche wäre genauso verlaufen.",
  effect: "Was es bedeutet",
  was: "Vorher",
  would: "Damit",
  now: "Jetzt",
  trouble: "Was es bedeutet, konnte nicht berechnet werden.",
  rests: "Worauf diese Zahlen beruhen",
  notes: {
    example_weeks: (kind) =>
      `Erdachte Wochen eines solchen Besitzers: ${kind}. Deine eigenen zählen, sobald ein paar Tage aufgezeichnet sind.`,
    own_weeks: (days) => `Deine eigenen letzten ${days} Tage, nachgespielt.`,
    price_seen: (low, high) => `Aufträge zahlten ${low} bis ${high} pro Stunde.`,
    price_floor: (price) => `Noch wurde kein Preis gesehen; angenommen ist dein Mindestpreis von ${price} pro Stunde.`,
    demand_seen: (low, high, days) => `Von der freien Zeit wurden in den letzten ${days} Tagen ${low} bis ${high} nachgefragt.`,
    demand_assumed: (low, high) =>
      `Noch weiß niemand, wie oft ein Auftrag kommt: Angenommen sind ${low} bis ${high} der freien Zeit.`,
    fee_assumed: (fee) => `Der Marktplatz hat seine Gebühr noch nicht genannt; angenommen sind ${fee}.`,
    power_measured: (gpu, watts) => `${gpu} zieht bei der Arbeit ${watts}, so gemessen.`,
    power_at_most: (gpu, watts) => `${gpu} wurde bei der Arbeit noch nie gemessen; angenommen ist ihre Grenze von ${watts}.`,
    power_unknown: (gpu) => `Wie viel ${gpu} zieht, sagt nichts.`,
    electricity_unpriced: "Es ist kein Strompreis gesetzt, also wird keiner abgezogen.",
  },
};
