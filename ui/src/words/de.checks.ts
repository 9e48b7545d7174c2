import type { CheckTexts } from "./check-texts";

const FOLDER = "Datenordner";
const DISK = "Festplatte";
const DRIVER = "NVIDIA-Treiber";
const VULKAN = "Vulkan";
const ADAPTERS = "Grafikadapter";
const PRESENCE = "Anwesenheit";
const KEYS = "Schlüssel";
const MARKET = "Marktplatz";
const LEDGER = "Kassenbuch";

const PRESENCE_REMEDY =
  "Starte den Agenten in deiner Desktop-Sitzung, oder lass ihn Eingabegeräte lesen. Für einen Rechner, an dem niemand sitzt, wähle „Immer“.";

/** Wie de.reasons.ts, für den Befund des Doktors. */
export const checks: CheckTexts = {
  agent_runs: (f) => ({ name: "Agent", found: `Er läuft, Version ${f.name("version")}.` }),
  folder_writable: (f) => ({ name: FOLDER, found: `${f.name("folder")} ist beschreibbar.` }),
  folder_new: (f) => ({ name: FOLDER, found: `${f.name("folder")} wird beim Start angelegt.` }),
  folder_refused: (f) => ({
    name: FOLDER,
    found: `${f.name("folder")} lässt sich nicht beschreiben.`,
    remedy: "Gib diesem Benutzer das Recht, dort zu schreiben, oder nenne mit `--data` einen anderen Ordner.",
  }),
  disk_unknown: () => ({ name: DISK, found: "Der freie Platz ist nicht bekannt.", remedy: "Sieh nach der Festplatte, auf der der Datenordner liegt." }),
  disk_full: (f) => ({ name: DISK, found: `${f.size("free_bytes")} frei.`, remedy: "Schaffe mindestens 256 MiB Platz, besser 10 GiB." }),
  disk_tight: (f) => ({
    name: DISK,
    found: `${f.size("free_bytes")} frei.`,
    remedy: "Schaffe 10 GiB Platz: Images von Aufträgen sind je ein paar GiB groß.",
  }),
  disk_good: (f) => ({ name: DISK, found: `${f.size("free_bytes")} frei.` }),
  docker_away: () => ({
    name: "Docker",
    found: "Es antwortet nicht.",
    remedy: "Starte Docker und lass diesen Benutzer an seinen Socket (unter Linux: die Gruppe docker). So wird es unter Debian und Ubuntu installiert: `apt install docker.io`",
  }),
  docker_unfiltered: (f) => ({
    name: "Docker",
    found: `${f.name("engine")} antwortet, filtert aber keine Systemaufrufe.`,
    remedy: "Starte Docker mit seinem üblichen seccomp-Profil: Ohne dieses läuft kein Auftrag.",
  }),
  docker_good: (f) => ({ name: "Docker", found: `${f.name("engine")} antwortet.` }),
  nvidia_not_in_docker: (f) => ({
    name: DRIVER,
    found: `Treiber ${f.name("driver")}, aber Docker kann NVIDIA-GPUs nicht weitergeben.`,
    remedy: "Installiere das NVIDIA Container Toolkit und starte Docker neu.",
  }),
  nvidia_good: (f) => ({ name: DRIVER, found: `Treiber ${f.name("driver")}.` }),
  nvidia_not_loaded: () => ({
    name: DRIVER,
    found: "Eine NVIDIA-Karte ist da, aber ihr Treiber ist nicht geladen.",
    remedy: "Installiere den Treiber von NVIDIA oder lade ihn (`modprobe nvidia`), und starte dann den Agenten neu.",
  }),
  nvidia_none: () => ({ name: DRIVER, found: "Keine NVIDIA-Karte hier, also nicht nötig." }),
  nvidia_unknown: () => ({
    name: DRIVER,
    found: "Es wurde kein NVIDIA-Treiber gefunden.",
    remedy: "Installiere ihn, wenn dieser Rechner eine NVIDIA-Karte hat.",
  }),
  vulkan_good: (f) => ({ name: VULKAN, found: `${f.name("file")}.` }),
  vulkan_missing: () => ({
    name: VULKAN,
    found: "Der Vulkan-Loader fehlt.",
    remedy: "Unter Debian und Ubuntu: `apt install libvulkan1`",
  }),
  adapters_failed: () => ({ name: ADAPTERS, found: "Sie ließen sich nicht auflisten.", remedy: "Erneuere den Grafiktreiber; `sublet gpus` zeigt, was ohne ihn zu sehen ist." }),
  adapters_none: () => ({
    name: ADAPTERS,
    found: "Es wurde keiner gefunden.",
    remedy: "Installiere den Treiber deiner Karte samt seinem Vulkan-Teil.",
  }),
  adapters_software: (f) => ({
    name: ADAPTERS,
    found: `Nur Software: ${f.name("names")}.`,
    remedy: "Ein solcher Adapter wird nur mit `sublet run --allow-software-gpu` vermietet.",
  }),
  adapters_good: (f) => ({ name: ADAPTERS, found: `${f.name("names")}.` }),
  presence_looking: () => ({ name: PRESENCE, found: "Noch haben nicht alle Sensoren geantwortet.", remedy: "Sieh gleich noch einmal nach." }),
  presence_good: () => ({ name: PRESENCE, found: "Es ist zu erkennen, ob jemand hier sitzt." }),
  presence_no_seat: () => ({ name: PRESENCE, found: "Hier gibt es weder Tastatur noch Maus noch Bildschirm; also sitzt hier niemand." }),
  presence_unknown: () => ({ name: PRESENCE, found: "Kein Bildschirm und kein Eingabegerät sagt, ob jemand hier sitzt.", remedy: PRESENCE_REMEDY }),
  presence_failing: () => ({ name: PRESENCE, found: "Es ist nicht zu erkennen, ob jemand hier sitzt.", remedy: PRESENCE_REMEDY }),
  market_good: (f) => ({ name: MARKET, found: `${f.name("url")} antwortet.` }),
  market_away: (f) => ({
    name: MARKET,
    found: `${f.name("url")} antwortet nicht.`,
    remedy: "Prüfe die Adresse und das Netzwerk dieses Rechners; es wird von selbst wieder versucht.",
  }),
  ledger_good: () => ({ name: LEDGER, found: "Jede Summe stimmt mit ihren Buchungen überein." }),
  ledger_unwritable: () => ({ name: LEDGER, found: "Es lässt sich nicht beschreiben.", remedy: "Schaffe Platz auf der Festplatte oder mache den Datenordner beschreibbar." }),
  ledger_unreadable: () => ({ name: LEDGER, found: "Es lässt sich nicht lesen.", remedy: "Sieh nach der Festplatte mit dem Datenordner und starte dann den Agenten neu." }),
  ledger_wrong: () => ({ name: LEDGER, found: "Eine Summe stimmt nicht.", remedy: "Sichere eine Kopie des Datenordners und melde das." }),
  keys_kept: () => ({ name: KEYS, found: "Sie sind sicher abgelegt." }),
  settings_unreadable: () => ({ name: "Einstellungen", found: "Die Datei gilt nicht.", remedy: "Berichtige sie; sie wird von selbst neu gelesen." }),
  gpu_lost: (f) => ({ name: f.name("gpu"), found: "Sie ist verschwunden.", remedy: "Starte den Rechner neu; bleibt es dabei, installiere den Treiber neu." }),
  gpu_unreadable: (f) => ({ name: f.name("gpu"), found: "Ihre Sensoren lassen sich nicht lesen.", remedy: "Starte den Rechner neu; bleibt es dabei, installiere den Treiber neu." }),
  driver_problem: () => ({ name: "Grafiktreiber", found: "Beim Start ließ sich etwas nicht ansehen.", remedy: "Behebe, was unter „Einzelheiten“ steht, und starte dann den Agenten neu." }),
  containment_holds: () => ({
    name: "Abschottung",
    found: "In einem Container gemessen: Systemaufrufe sind gefiltert, es gibt weder Sonderrechte noch Netzwerk, das Dateisystem ist schreibgeschützt, Speicher und Prozesse sind begrenzt.",
  }),
  containment_gaps: () => ({
    name: "Abschottung",
    found: "Etwas, das einen Auftrag festhält, ist nicht in Kraft. Bis dahin wird nichts vermietet.",
    remedy: "`sublet doctor` nennt die Lücken und was gegen jede hilft.",
  }),
  cpu_limited: () => ({ name: "Prozessoranteil", found: "Die Grenze ist in Kraft." }),
  cpu_unlimited: () => ({
    name: "Prozessoranteil",
    found: "Die Grenze ist nicht in Kraft: Ein Auftrag darf jeden Kern nehmen, solange ihn sonst niemand braucht.",
    remedy: "Starte den Kernel mit seinem cpu-Controller (CONFIG_CFS_BANDWIDTH).",
  }),
  apparmor_in_force: (f) => ({ name: "AppArmor", found: `Das Profil ${f.name("profile")} ist in Kraft.` }),
  apparmor_missing: () => ({
    name: "AppArmor",
    found: "Für einen Auftrag ist kein AppArmor-Profil in Kraft, was Docker auch sagt.",
    remedy: "Unter Debian und Ubuntu: `apt install apparmor`, dann neu starten. Hat dein System stattdessen SELinux, darf es so bleiben.",
  }),
  users_mapped: () => ({ name: "Benutzer-Namensräume", found: "Docker bildet die Benutzer eines Auftrags auf andere ab." }),
  users_not_mapped: () => ({
    name: "Benutzer-Namensräume",
    found: "Docker bildet keine Benutzer ab: Benutzer 65534 eines Auftrags ist auch hier Benutzer 65534.",
    remedy: "Setze „userns-remap“ in Dockers daemon.json auf „default“ und starte Docker neu; frühere Images und Container sind dann nicht mehr zu sehen.",
  }),
  gvisor_works: () => ({ name: "gVisor", found: "Es läuft: Aufträge, die keine NVIDIA-GPU brauchen, laufen darin." }),
  gvisor_absent: () => ({ name: "gVisor", found: "Es ist nicht eingerichtet; Aufträge teilen sich hinter dem Filter den Kernel dieses Rechners." }),
  gvisor_broken: () => ({
    name: "gVisor",
    found: "Docker kennt seine Laufzeit, aber sie arbeitet nicht.",
    remedy: "Gib der Laufzeit `runsc` in Dockers daemon.json ihren vollen Pfad, alten Versionen auch „--network=none“; oder nimm sie heraus.",
  }),
  quota_for_volumes: () => ({ name: "Platzgrenze", found: "Docker begrenzt den Datenträger eines Auftrags, und die Festplatte wird ebenfalls überwacht." }),
  quota_for_layers: () => ({ name: "Platzgrenze", found: "Docker begrenzt den Container selbst, nicht den Datenträger; stattdessen wird die Festplatte überwacht." }),
  quota_watched: () => ({ name: "Platzgrenze", found: "Dockers Speicher hat keine; stattdessen wird die Festplatte fünfmal in der Sekunde überwacht." }),
  gpus_by_cdi: () => ({ name: "GPU-Zugriff", found: "Docker gibt NVIDIA-GPUs einzeln beim Namen frei (CDI)." }),
  gpus_by_runtime: () => ({ name: "GPU-Zugriff", found: "Docker gibt NVIDIA-GPUs über die Laufzeit von NVIDIA frei." }),
  gpus_broken: () => ({
    name: "GPU-Zugriff",
    found: "Docker kennt die Laufzeit von NVIDIA, aber sie arbeitet nicht.",
    remedy: "Installiere das NVIDIA Container Toolkit neu, führe `nvidia-ctk runtime configure` aus und starte Docker neu.",
  }),
  gpus_none: () => ({ name: "GPU-Zugriff", found: "Docker gibt keine NVIDIA-GPU frei; das zählt nur, wo eine steckt." }),
};
