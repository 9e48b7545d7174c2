import type { Figures } from "../figures";
import { shortName } from "../names";
import type { ReasonTexts } from "./reason-texts";

const BY_ITSELF = "Es wird von selbst wieder versucht.";

const READINGS: Record<string, string> = {
  programs: "welche Programme laufen",
  touch: "wann zuletzt jemand an diesem Rechner war",
  watching: "ob jemand etwas ansieht",
  power: "ob der Rechner im Akkubetrieb läuft",
  metered: "ob das Netzwerk getaktet ist",
  temperature: "wie warm die GPU ist",
  users: "wer die GPU benutzt",
  power_draw: "wie viel Strom die GPU zieht",
};

const TOUCHED: Record<string, string> = {
  desk: "Tastatur oder Maus werden benutzt.",
  gamepad: "Ein Gamepad wird benutzt.",
  remote: "Jemand benutzt diesen Rechner aus der Ferne.",
};

/** "Wird 5 min, nachdem es beendet ist, wieder vermietet." */
function again(f: Figures, event: string): string {
  return f.number("after_ms") === 0
    ? `Wird wieder vermietet, sobald ${event}.`
    : `Wird ${f.span("after_ms")}, nachdem ${event}, wieder vermietet.`;
}

function more(f: Figures, name: string): string {
  return f.has("more") && f.number("more") > 0 ? `${name} (und ${f.count("more")} weitere)` : name;
}

export const reasons: ReasonTexts = {
  agent_away: () => ({ text: "Der Agent läuft nicht.", remedy: "Starte ihn mit `sublet run`." }),
  paused_by_owner: (f) => ({
    text: f.has("gpu") ? `Du hast das Vermieten von ${shortName(f.name("gpu"))} pausiert.` : "Du hast das Vermieten pausiert.",
    remedy: f.has("until_ms")
      ? `Geht weiter ab ${f.time("until_ms")}, oder sobald du es fortsetzt.`
      : "Geht weiter, sobald du es fortsetzt.",
  }),
  switched_off: () => ({
    text: "Du hast das Vermieten dieser GPU ausgeschaltet.",
    remedy: "Schalte es in den Einstellungen wieder ein.",
  }),
  not_set_up: () => ({
    text: "Du hast noch nicht gesagt, wann vermietet werden darf.",
    remedy: "Wähle es in diesem Fenster, oder mit `sublet settings preset`: gamer, studio, farm oder laptop.",
  }),
  settings_unreadable: () => ({
    text: "Die Einstellungen konnten nicht gelesen werden.",
    remedy: "Berichtige die Datei; sie wird von selbst neu gelesen.",
  }),
  needs_owner: () => ({ text: "Etwas kannst nur du beheben.", remedy: "`sublet doctor` zeigt, was zu tun ist." }),
  ledger_unwritable: () => ({
    text: "Das Kassenbuch kann nicht geschrieben werden.",
    remedy: `Schaffe Platz auf der Festplatte oder mache den Datenordner beschreibbar. ${BY_ITSELF}`,
  }),
  gpu_lost: () => ({
    text: "Die GPU ist verschwunden.",
    remedy: "Starte den Rechner oder den Treiber neu; sie wird von selbst wieder gesucht.",
  }),
  memory_held: () => ({
    text: "Ein Auftrag ist zu Ende, aber sein Grafikspeicher wurde nicht frei.",
    remedy: "Bis er frei ist, läuft hier nichts Neues. Es wird von selbst wieder nachgesehen.",
  }),
  reading_unknown: (f) => {
    const reading = READINGS[f.name("reading")];
    return {
      text: reading ? `Es ist nicht bekannt, ${reading}.` : "Ein Messwert fehlt, auf den es ankommt.",
      remedy: "Es wird von selbst wieder gemessen; `sublet doctor` sagt mehr.",
    };
  },
  program_runs: (f) => ({ text: `${more(f, f.name("program"))} läuft.`, remedy: again(f, "es beendet ist") }),
  owner_present: (f) => ({
    text: TOUCHED[f.name("by")] ?? "Jemand benutzt diesen Rechner.",
    remedy: `Wird nach ${f.span("away_ms")} ohne Eingabe wieder vermietet: in ${f.span("left_ms")}, wenn niemand zurückkommt.`,
  }),
  watching: (f) => ({
    text:
      f.name("how") === "full_screen"
        ? `${more(f, f.name("program"))} füllt den Bildschirm.`
        : `${more(f, f.name("program"))} hält den Bildschirm an.`,
    remedy: again(f, "es endet oder der Bildschirm gesperrt oder aus ist"),
  }),
  gpu_in_use: (f) => ({ text: `${more(f, f.name("program"))} benutzt die GPU.`, remedy: again(f, "es beendet ist") }),
  returning: () => ({
    text: "Ein Auftrag ist zu Ende. Es wird geprüft, ob sein Grafikspeicher frei ist.",
    remedy: "Geht gleich weiter.",
  }),
  too_hot: (f) => ({
    text:
      f.name("sensor") === "hotspot"
        ? `Die heißeste Stelle der GPU hat ${f.celsius("celsius")}.`
        : `Die GPU hat ${f.celsius("celsius")}.`,
    remedy: `Wird unter ${f.celsius("cool_c")} wieder vermietet.`,
  }),
  on_battery: (f) => ({
    text: f.has("percent")
      ? `Der Rechner läuft im Akkubetrieb (noch ${f.percent("percent")}).`
      : "Der Rechner läuft im Akkubetrieb.",
    remedy: again(f, "er am Netz hängt"),
  }),
  metered_network: (f) => ({
    text: "Das Netzwerk ist als getaktet gekennzeichnet.",
    remedy: again(f, "ein anderes Netzwerk benutzt wird"),
  }),
  outside_hours: (f) =>
    f.has("opens_ms")
      ? { text: "Das ist keine der Stunden, die du gewählt hast.", remedy: `Wird ab ${f.time("opens_ms")} wieder vermietet.` }
      : { text: "Du vermietest nach Stunden, hast aber keine gewählt.", remedy: "Wähle Stunden in den Einstellungen." },
  settling: (f) => ({
    text: "Was im Weg stand, ist gerade erst vorbei.",
    remedy: `Wird vermietet, wenn es ${f.span("settle_ms")} lang so bleibt.`,
  }),
  software_gpu: () => ({
    text: "Das ist keine Grafikkarte: Der Prozessor macht die Arbeit.",
    remedy: "Erlaube es in den Einstellungen, wenn du sie trotzdem vermieten willst.",
  }),
  not_benchmarked: () => ({
    text: "Deine GPU wurde mit diesem Treiber noch nicht gemessen.",
    remedy: "Starte den Benchmark.",
  }),
  docker_unavailable: (f) =>
    f.has("problem")
      ? { text: "Docker antwortet nicht.", remedy: BY_ITSELF }
      : { text: "Docker wird gefragt, was da ist.", remedy: "Geht gleich weiter." },
  market_unreachable: (f) => ({
    text: f.has("problem") ? "Der Marktplatz antwortet nicht." : "Der Marktplatz hat noch nicht geantwortet.",
    remedy: BY_ITSELF,
  }),
  below_cost: (f) => {
    if (f.has("cost")) {
      return {
        text: `Der Auftrag zahlt nach Gebühr ${f.money("net")} pro Stunde, der Strom kostet ${f.money("cost")}.`,
        remedy: "Wird wieder vermietet, sobald der Preis den Strom deckt.",
      };
    }
    if (!f.has("price")) {
      return {
        text: "Der Marktplatz behält alles ein: Kein Preis deckt den Strom.",
        remedy: "Wird wieder vermietet, sobald die Gebühr sinkt.",
      };
    }
    const draw = f.name("power") === "measured" ? `gemessen ${f.watts("watts")}` : `höchstens ${f.watts("watts")}`;
    return {
      text: `Das beste Gebot ist ${f.money("price")} pro Stunde; für den Strom fehlen ${f.money("short")} (${draw}, ${f.money("kwh")} pro kWh).`,
      remedy: `Wird ab ${f.money("least")} pro Stunde vermietet; das deckt den Strom auch nach der Gebühr.`,
    };
  },
  below_floor: (f) => ({
    text: `Das beste Gebot ist ${f.money("price")} pro Stunde, dein Mindestpreis ${f.money("floor")}.`,
    remedy: "Wird vermietet, sobald so viel geboten wird oder du den Mindestpreis senkst.",
  }),
  no_demand: (f) => ({
    text: "Noch hat kein Auftrag nach dieser GPU gefragt.",
    remedy: `Wird vermietet, sobald einer ${f.money("floor")} pro Stunde oder mehr zahlt.`,
  }),
};
