//! Settings as owners write them: what reads, and what is said of what does not.

use super::preset::DECIDES;
use super::watched::Watched;
use super::*;
use proptest::prelude::*;
use sublet_core::settings::{GpuSettings, Heat, Mode, Quiet};
use sublet_protocol::job::Category;
use sublet_protocol::money::MicroUsd;
use sublet_protocol::offer::WorkRules;

fn card(id: &str) -> KnownGpu {
    KnownGpu {
        id: GpuId::new(id).unwrap(),
        name: "RTX 4090".into(),
        slowdown_c: Some(90),
        power: Some(PowerRange {
            lowest_mw: 150_000,
            highest_mw: 600_000,
            default_mw: 450_000,
        }),
    }
}

fn read(text: &str) -> Choices {
    parse_text(text, &[card("GPU-1")])
        .map(|parsed| parsed.choices)
        .unwrap_or_else(|faults| panic!("{faults:?}\n{text}"))
}

fn faults(text: &str) -> Vec<String> {
    let faults = parse_text(text, &[card("GPU-1")]).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_left_out_has_its_default() {
    assert_eq!(read(""), Choices::default());
    assert_eq!(read("version = 1\n[rent]\n[heat]\n"), Choices::default());
    assert_eq!(Choices::default().settings, Settings::default());
}

#[test]
fn everything_that_can_be_chosen_reads() {
    let all = read(
        r#"
version = 1
[rent]
mode = "schedule"
away_minutes = 10
settle_seconds = 0
min_slice_minutes = 20
grace_seconds = 30
on_battery = true
on_metered = true
allow_software_gpu = true
[[rent.hours]]
days = ["mon", "tue-thu"]
from = "22:00"
to = "08:00"
[[rent.hours]]
days = "sat"
from = "00:00"
to = "00:00"
[price]
floor = 0.35
electricity = "0.31"
[[price.bands]]
from = "22:00"
to = "06:00"
electricity = "0.18"
[heat]
target_c = 70
hot_c = 80
cool_c = 60
[quiet]
power_percent = 60
fan_percent = 50
[programs]
exclusive = ["blender", "/opt/games", 'C:\Games']
[limits]
cpus = 1.5
memory_mib = 2048
output_mib = 100
disk_mib = 200
reserve_mib = 10240
image_cache_mib = 30720
run_minutes = 90
[work]
categories = ["rendering", "other"]
refused_categories = ["mining"]
publishers = ["registry.example/studio"]
refused_publishers = []
[market]
url = "https://market.example"
unpaid_limit_seconds = 60
[gpu.GPU-1]
mode = "off"
floor = "0.5"
heat.hot_c = 85
quiet = {power_percent = 100, fan_percent = 100}
"#,
    );
    let settings = &all.settings;
    assert_eq!(
        settings.each,
        GpuSettings {
            mode: Mode::Schedule,
            floor: HourlyPrice(MicroUsd(350_000)),
            heat: Heat {
                target_c: 70,
                hot_c: 80,
                cool_c: 60
            },
            quiet: Some(Quiet {
                power_percent: 60,
                fan_percent: Some(50)
            }),
        }
    );
    assert_eq!(
        settings.gpu(&GpuId::new("GPU-1").unwrap()),
        &GpuSettings {
            mode: Mode::Off,
            floor: HourlyPrice(MicroUsd(500_000)),
            heat: Heat {
                target_c: 70,
                hot_c: 85,
                cool_c: 60
            },
            quiet: None,
        }
    );
    assert_eq!(
        (settings.away_ms, settings.settle_ms, settings.min_slice_ms),
        (600_000, 0, 1_200_000)
    );
    assert_eq!(
        (settings.reclaim_grace_ms, settings.unpaid_limit_ms),
        (30_000, 60_000)
    );
    assert_eq!(all.market.as_deref(), Some("https://market.example/"));
    assert!(settings.on_battery && settings.on_metered && settings.allow_software_gpu);
    assert_eq!(settings.tariff.base, MicroUsd(310_000));
    assert_eq!(settings.tariff.bands[0].price, MicroUsd(180_000));
    assert_ne!(settings.hours, Default::default());
    assert_eq!(all.hours[1].to_string(), "sat 00:00 to 24:00");
    assert_eq!(all.programs, ["blender", "/opt/games", "C:\\Games"]);
    assert_eq!(
        (
            all.limits.disk_mib,
            all.limits.reserve_mib,
            all.limits.image_cache_mib,
            all.limits.run_minutes
        ),
        (Some(200), Some(10_240), Some(30_720), Some(90))
    );
    assert_eq!(
        settings.work,
        WorkRules {
            categories: vec![Category::Rendering, Category::Other],
            refused_categories: vec![Category::Mining],
            publishers: vec!["registry.example/studio".into()],
            refused_publishers: vec![],
        }
    );
    assert_eq!(
        (
            all.limits.cpus,
            all.limits.memory_mib,
            all.limits.output_mib
        ),
        (Some(1.5), Some(2048), Some(100))
    );
}

#[test]
fn temperatures_that_nobody_chose_follow_those_that_somebody_did() {
    let heat = |text: &str| {
        let heat = read(text).settings.each.heat;
        (heat.cool_c, heat.target_c, heat.hot_c)
    };
    assert_eq!(heat("heat.hot_c = 75"), (68, 72, 75));
    assert_eq!(heat("heat.target_c = 65"), (61, 65, 83));
    assert_eq!(heat("heat.cool_c = 50"), (50, 80, 83));
    let own = read("heat.target_c = 70\n[gpu.GPU-1]\nheat.hot_c = 72\n");
    let own = own.settings.gpu(&GpuId::new("GPU-1").unwrap()).heat;
    assert_eq!((own.cool_c, own.target_c, own.hot_c), (66, 70, 72));
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_what_is_allowed() {
    for (text, said) in [
        (
            "[rent]\nmode = \"sometimes\"\n",
            "line 2, column 8: `rent.mode` is \"sometimes\"; it must be \"away\", \"gpu-idle\", \"schedule\", \"always\" or \"off\"",
        ),
        (
            "[rent]\n\naway_minutes = -5\n",
            "line 3, column 16: `rent.away_minutes` is -5; it must be 1 to 1440 minutes",
        ),
        (
            "[rent]\naway_minuts = 5\n",
            "line 2, column 1: `rent.away_minuts` is not known; `rent.away_minutes` may be meant",
        ),
        (
            "\nfloor = \"1\"\n",
            "line 2, column 1: `floor` is not known; `price.floor` may be meant",
        ),
        (
            "[pirce]\nfloor = \"1\"\n",
            "line 1, column 2: `pirce` is not known; `price` may be meant",
        ),
        (
            "[price]\nfloor = \"cheap\"\n",
            "line 2, column 9: `price.floor` is \"cheap\"; it must be an amount from \"0\" to \"100\" US dollars an hour",
        ),
        (
            "[market]\nurl = \"http://market.example\"\n",
            "line 2, column 7: `market.url` is \"http://market.example\"; it must be an address such as \"https://market.example\"; http:// only on this machine",
        ),
        (
            "[price]\nfloor = 2000\n",
            "line 2, column 9: `price.floor` is 2000; it must be an amount from \"0\" to \"100\" US dollars an hour",
        ),
        (
            "rent = 5\n",
            "line 1, column 1: `rent` is a table; write [rent] above its keys",
        ),
        (
            "[heat]\nhot_c = 95\n",
            "line 2, column 1: `heat.hot_c` is 95 °C; RTX 4090 slows itself down from 90 °C, so it must be at most that",
        ),
        (
            "[heat]\ncool_c = 85\n",
            "line 2, column 1: `heat.cool_c` does not fit: it must be cool_c < target_c < hot_c, and with what is chosen and the defaults they are 85 < 80 < 83 °C",
        ),
        (
            "[quiet]\npower_percent = 30\n",
            "line 2, column 1: `quiet.power_percent` is 30 %, which is 135 W; RTX 4090 takes no less than 150 W, so it must be 34 to 100 %",
        ),
        (
            "[gpu.GPU-1.quiet]\npower_percent = 20\n",
            "line 2, column 17: `gpu.GPU-1.quiet.power_percent` is 20; it must be 30 to 100 %",
        ),
        (
            "[gpu.GPU-1]\naway_minutes = 1\n",
            "line 2, column 1: `gpu.GPU-1.away_minutes` is not known; there are mode, floor, heat.target_c, heat.hot_c, heat.cool_c, quiet.power_percent, quiet.fan_percent",
        ),
        (
            "[gpu.\"GPU 1\"]\n",
            "line 1, column 6: `gpu.GPU 1` does not name a GPU: `GPU 1` is not a GPU id: it takes 1 to 80 letters, digits, `-`, `_` or `.`",
        ),
        (
            "[[rent.hours]]\ndays = \"mon-fri\"\nfrom = \"22:00\"\nto = \"08:00\"\n[[rent.hours]]\nfrom = \"07:00\"\nto = \"09:00\"\n",
            "line 5, column 1: `rent.hours` (daily 07:00 to 09:00) overlaps the hours of line 1 (mon-fri 22:00 to 08:00)",
        ),
        (
            "[rent]\nhours = [{days = \"mon\", from = \"22:10\", to = \"08:00\"}]\n",
            "line 2, column 10: `rent.hours` runs from 22:10 to 08:00; it must begin and end on a quarter of an hour",
        ),
        (
            "[rent]\nhours = [{days = \"monday\", from = \"22:00\", to = \"08:00\"}]\n",
            "line 2, column 18: `rent.hours.days` is \"monday\"; write mon, tue, wed, thu, fri, sat, sun, a range such as mon-fri, or daily",
        ),
        (
            "[rent]\nhours = [{from = \"8:00\", to = \"09:00\"}]\n",
            "line 2, column 18: `rent.hours.from` is \"8:00\"; it must be a time of day from \"00:00\" to \"24:00\"",
        ),
        (
            "[[price.bands]]\nfrom = \"22:00\"\nto = \"06:00\"\nelectricity = 0.1\n[[price.bands]]\nfrom = \"05:00\"\nto = \"07:00\"\nelectricity = 0.2\n",
            "line 5, column 1: `price.bands` (05:00 to 07:00 $0.20 a kWh) overlaps the hours of line 1 (22:00 to 06:00 $0.10 a kWh)",
        ),
        (
            "[[price.bands]]\nfrom = \"22:00\"\nuntil = \"06:00\"\n",
            "line 3, column 1: `price.bands.until` is not known; each `price.bands` has from, to, electricity",
        ),
        (
            "[work]\ncategories = [\"games\"]\n",
            "line 2, column 15: `work.categories` has \"games\"; there are rendering, training, inference, simulation, transcoding, mining, other",
        ),
        (
            "[work]\npublishers = [\"Studio\"]\n",
            "line 2, column 15: `work.publishers` has \"Studio\"; write the beginning of an image's name, such as \"registry.example/studio\"",
        ),
        (
            "[limits]\nreserve_mib = 1\n",
            "line 2, column 15: `limits.reserve_mib` is 1; it must be 256 to 16777216 MiB",
        ),
        (
            "[programs]\nexclusive = [\"games/doom\"]\n",
            "line 2, column 14: `programs.exclusive` has \"games/doom\"; write a program's name, such as \"blender\", or a folder from its root, such as \"/opt/games\"",
        ),
        (
            "[limits]\ncpus = 0\n",
            "line 2, column 8: `limits.cpus` is 0; it must be 0.1 to 1024 cores",
        ),
        (
            "[limits]\ncpus = nan\n",
            "line 2, column 8: `limits.cpus` is nan; it must be 0.1 to 1024 cores",
        ),
        (
            "version = 2\n[what_is_this]\n",
            "line 1, column 11: `version` is 2, and this version of Sublet reads up to 1: update Sublet; the file is left as it is",
        ),
    ] {
        assert_eq!(faults(text), [said], "{text}");
    }
}

/// A card whose driver slows it down early.
fn delicate(slowdown_c: i32) -> KnownGpu {
    KnownGpu {
        slowdown_c: Some(slowdown_c),
        ..card("GPU-1")
    }
}

#[test]
fn what_nobody_chose_is_never_more_than_the_card_bears() {
    let of = |text: &str, slowdown_c| {
        let choices = parse_text(text, &[delicate(slowdown_c)]).unwrap().choices;
        let heat = choices.settings.gpu(&GpuId::new("GPU-1").unwrap()).heat;
        (heat.cool_c, heat.target_c, heat.hot_c)
    };
    assert_eq!(of("", 90), (76, 80, 83));
    assert_eq!(of("", 80), (71, 75, 78));
    assert_eq!(of("[gpu.GPU-1]\nmode = \"off\"\n", 80), (71, 75, 78));
    assert_eq!(of("heat.target_c = 70", 80), (66, 70, 78));
    assert_eq!(of("heat.hot_c = 80", 80), (73, 77, 80));
    let parsed = parse_text("", &[delicate(80), card("GPU-2")]).unwrap();
    assert_eq!(parsed.choices.settings.each.heat, Heat::default());
    assert_eq!(
        parsed.choices.settings.gpus.len(),
        1,
        "only where it differs"
    );
    let shown = view::values(&parsed);
    let of_card: Vec<_> = shown
        .iter()
        .filter(|value| value.gpu.is_some())
        .map(|value| (value.key.as_str(), value.shown.as_str()))
        .collect();
    assert_eq!(
        of_card,
        [
            ("gpu.GPU-1.heat.target_c", "75 °C"),
            ("gpu.GPU-1.heat.hot_c", "78 °C"),
            ("gpu.GPU-1.heat.cool_c", "71 °C")
        ]
    );
}

#[test]
fn a_temperature_that_was_chosen_must_lie_below_what_the_card_bears() {
    for (text, slowdown_c, said) in [
        (
            "[heat]\ntarget_c = 82\n",
            84,
            "line 2, column 1: `heat.target_c` is 82 °C; RTX 4090 slows itself down from 84 °C and gives its job up at 82 °C, so it must be below that",
        ),
        (
            "[heat]\nhot_c = 80\ntarget_c = 79\n",
            80,
            "line 3, column 1: `heat.target_c` is 79 °C; RTX 4090 slows itself down from 80 °C and gives its job up at 78 °C, so it must be below that",
        ),
        (
            "[gpu.GPU-1]\nheat.cool_c = 76\n",
            80,
            "line 2, column 6: `gpu.GPU-1.heat.cool_c` is 76 °C; RTX 4090 slows itself down from 80 °C and is held at 75 °C, so it must be below that",
        ),
    ] {
        let faults = parse_text(text, &[delicate(slowdown_c)]).unwrap_err();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, [said], "{text}");
    }
}

#[test]
fn a_preset_of_the_command_line_that_a_card_cannot_do_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let text = "# mine\n[price]\nfloor = \"0.5\"\n";
    std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
    let hungry = KnownGpu {
        power: Some(PowerRange {
            lowest_mw: 360_000,
            highest_mw: 600_000,
            default_mw: 450_000,
        }),
        ..card("GPU-1")
    };
    let overrides = Overrides {
        preset: Some("laptop".parse().unwrap()),
        ..Overrides::default()
    };
    let mut watched = Watched::open(folder.path(), overrides, vec![hungry]);
    let said = "--preset laptop: `quiet.power_percent` is 70 %, which is 315 W; RTX 4090 takes no less than 360 W, so it must be 80 to 100 %; choose it under [gpu.\"GPU-1\"] in the settings";
    let problem = watched.problem.as_ref().unwrap().to_string();
    assert_eq!(problem, format!("the command line, {said}"));
    let fault = watched.view().faults.remove(0);
    assert_eq!(
        (fault.line, fault.column, fault.text.as_str()),
        (None, None, said)
    );
    // What it says to do helps.
    let mended = format!("{text}[gpu.\"GPU-1\"]\nquiet.power_percent = 80\n");
    touch(&folder.path().join(FILE_NAME), &mended);
    assert!(watched.look());
    assert!(watched.problem.is_none(), "{:?}", watched.problem);
}

#[test]
fn a_gpu_that_comes_later_bounds_what_was_chosen_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, "[heat]\nhot_c = 85\n").unwrap();
    let mut watched = Watched::open(folder.path(), Overrides::default(), Vec::new());
    assert!(watched.problem.is_none());
    watched.meet(vec![delicate(80)]);
    let problem = watched.problem.as_ref().unwrap().to_string();
    assert!(
        problem.contains("`heat.hot_c` is 85 °C; RTX 4090"),
        "{problem}"
    );
    watched.meet(vec![delicate(90)]);
    assert!(watched.problem.is_none());
}

#[test]
fn a_text_that_is_not_toml_says_where() {
    for (text, place) in [
        ("[rent\n", "line 1, "),
        ("[rent]\nmode = \n", "line 2, "),
        ("a = 1\nb = 2\na = 3\n", "line 3, "),
    ] {
        let said = faults(text);
        assert!(said[0].starts_with(place), "{said:?}");
    }
}

#[test]
fn every_fault_is_told_from_the_top() {
    let said = faults("[heat]\nhot_c = 300\n[rent]\nmod = 1\naway_minutes = 0\n");
    assert_eq!(said.len(), 3);
    assert!(said[0].contains("line 2") && said[1].contains("line 4") && said[2].contains("line 5"));
}

#[test]
fn what_may_not_be_meant_is_told_and_holds() {
    let parsed = parse_text("[gpu.GPU-2]\nmode = \"schedule\"\n", &[card("GPU-1")]).unwrap();
    let told: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("line 1, column 6: `gpu.GPU-2` is not in this machine"));
    assert!(told[1].contains("never rents"));
}

#[test]
fn the_command_line_goes_before_the_file_but_not_before_a_gpus_own() {
    let text = "[market]\nurl = \"https://there.example\"\n[rent]\nmode = \"off\"\n[quiet]\npower_percent = 50\n[price]\nfloor = \"9\"\n[gpu.GPU-1]\nfloor = \"1\"\n";
    let overrides = Overrides {
        preset: Some("farm".parse().unwrap()),
        floor: Some(HourlyPrice(MicroUsd(300_000))),
        allow_software_gpu: true,
        away_ms: None,
        market: Some("https://here.example/".into()),
    };
    let choices = parse_under(text, &overrides, &[]).unwrap().choices;
    assert_eq!(choices.market.as_deref(), Some("https://here.example/"));
    let settings = choices.settings;
    assert_eq!(settings.each.mode, Mode::Always);
    assert_eq!(settings.each.quiet, None, "a preset is a whole rule");
    assert_eq!(settings.each.floor, HourlyPrice(MicroUsd(300_000)));
    assert!(settings.allow_software_gpu);
    let own = settings.gpu(&GpuId::new("GPU-1").unwrap());
    assert_eq!(own.floor, HourlyPrice(MicroUsd(1_000_000)));
    assert_eq!(own.mode, Mode::Always);
}

#[test]
fn every_preset_reads_and_decides_only_what_presets_decide() {
    let mut modes = Vec::new();
    for preset in PRESETS {
        let parsed = parse_text(preset.text, &[]).unwrap();
        assert!(parsed.warnings.is_empty());
        for (_, path) in parsed.file.values.keys() {
            assert!(DECIDES.contains(path), "{preset}: {path}");
        }
        modes.push(parsed.choices.settings.each.mode);
        assert_eq!(preset.name.parse::<Preset>().unwrap(), *preset);
    }
    assert_eq!(modes, [Mode::Away, Mode::GpuIdle, Mode::Always, Mode::Away]);
    assert_eq!(Preset::keys().count(), DECIDES.len());
    assert!("miner".parse::<Preset>().is_err());
}

#[test]
fn keys_are_addressed_for_the_rig_and_for_a_gpu() {
    let address: Address = "heat.hot_c".parse().unwrap();
    assert_eq!(address.to_string(), "heat.hot_c");
    let own: Address = "gpu.GPU-1.2.heat.hot_c".parse().unwrap();
    assert_eq!(own.steps(), ["gpu", "GPU-1.2", "heat", "hot_c"]);
    assert_eq!(own.key.path, "heat.hot_c");
    let mode: Address = "gpu.GPU-1.mode".parse().unwrap();
    assert_eq!(mode.key.path, "rent.mode");
    for (bad, hint) in [
        ("heat.hot", "heat.hot_c"),
        ("gpu.GPU-1.cpus", "limits.cpus"),
        ("", "there are"),
    ] {
        let error = bad.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
}

mod changes;

/// Pieces that settings are made of, so that random texts come near to what reads.
const PIECES: &[&str] = &[
    "[rent]",
    "[[rent.hours]]",
    "[price]",
    "[[price.bands]]",
    "[heat]",
    "[gpu.GPU-1]",
    "[gpu]",
    "[quiet]",
    "\n",
    "mode",
    "days",
    "from",
    "to",
    "hot_c",
    "floor",
    "version",
    "programs.exclusive",
    " = ",
    "=",
    "\"away\"",
    "\"schedule\"",
    "\"mon-fri\"",
    "\"22:00\"",
    "\"24:00\"",
    "\"08:00\"",
    "83",
    "-1",
    "0x10",
    "1e400",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "\"",
    "'",
    "#",
    "ä",
    "99999999999999999999",
    "true",
    "2026-01-01",
    "\r\n",
    "\u{feff}",
    "\0",
];

proptest! {
    #[test]
    fn any_text_either_reads_or_says_where_it_does_not(
        parts in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        noise in ".{0,30}",
        at in 0_usize..40,
    ) {
        let mut text: String = parts.iter().take(at).copied().collect();
        text.push_str(&noise);
        text.extend(parts.iter().skip(at).copied());
        match parse_text(&text, &[card("GPU-1")]) {
            Ok(parsed) => {
                let heat = parsed.choices.settings.each.heat;
                prop_assert!(heat.cool_c < heat.target_c && heat.target_c < heat.hot_c);
            }
            Err(faults) => {
                let lines = u32::try_from(text.split('\n').count()).unwrap();
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    let line = fault.at.place().unwrap().line;
                    prop_assert!((1..=lines).contains(&line), "{fault} in {text:?}");
                }
            }
        }
    }
}

fn touch(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(later).unwrap();
}

fn open(folder: &std::path::Path) -> Watched {
    Watched::open(folder, Overrides::default(), vec![card("GPU-1")])
}

#[test]
fn an_owner_has_chosen_once_the_file_says_more_than_where_the_marketplace_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let chosen = || open(folder.path()).set_up();
    assert!(!chosen(), "there is no file");
    for (text, set_up) in [
        ("", false),
        ("version = 1\n", false),
        ("[market]\nurl = \"https://market.example\"\n", false),
        ("[rent]\nmode = \"away\"\n", true),
        ("[gpu.GPU-1]\nmode = \"off\"\n", true),
        ("[price]\nfloor = \n", true),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(chosen(), set_up, "{text}");
    }
    std::fs::remove_file(&path).unwrap();
    let farm = Overrides {
        preset: "farm".parse().ok(),
        ..Overrides::default()
    };
    assert!(Watched::open(folder.path(), farm, Vec::new()).set_up());
}

#[test]
fn the_last_good_settings_stay_in_force_and_the_file_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, "[price]\nfloor = \"0.5\"\n").unwrap();
    let mut watched = open(folder.path());
    let half = HourlyPrice(MicroUsd(500_000));
    assert_eq!(watched.good.settings.each.floor, half);
    assert!(!watched.look());
    let bad = "[price]\nfloor = \n";
    touch(&path, bad);
    assert!(watched.look());
    let problem = watched.problem.as_ref().unwrap().to_string();
    assert!(
        problem.contains("settings.toml, line 2, column"),
        "{problem}"
    );
    assert_eq!(watched.good.settings.each.floor, half);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
    assert!(!watched.look());

    // A restart: the file is still bad, and what held before still holds.
    let watched = open(folder.path());
    assert!(watched.problem.is_some());
    assert_eq!(watched.good.settings.each.floor, half);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
}

#[test]
fn a_file_that_goes_away_leaves_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, "[rent]\nmode = \"always\"\n").unwrap();
    let mut watched = open(folder.path());
    std::fs::remove_file(&path).unwrap();
    assert!(watched.look());
    assert!(watched.problem.is_none());
    assert_eq!(watched.good, Choices::default());
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_no_text_or_no_file_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, b"\xff\xfe").unwrap();
    let watched = open(folder.path());
    assert!(watched.problem.is_some());
    assert_eq!(watched.good, Choices::default());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(open(folder.path()).problem.is_some());
}
