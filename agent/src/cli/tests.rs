//! Every page, as it stands on a terminal with Unicode and on one without. Update the pictures with
//! `INSTA_UPDATE=always cargo nextest run -p sublet-agent cli::`, and read what changed.

use super::look::Look;
use super::{bench, doctor, gpus, history, jobs, pause, settings, simulate, status, wallet};
use jiff::tz::TimeZone;
use serde_json::json;
use sublet_protocol::local::history::History;
use sublet_protocol::local::{
    BenchView, Check, Doctor, Gpus, Jobs, PauseView, Status, Verdict, Wallet,
};

/// 2026-11-21 13:30 where the owner lives.
const NOW: u64 = 1_795_260_600_000;

fn look(unicode: bool) -> Look {
    Look {
        unicode,
        zone: TimeZone::fixed(jiff::tz::offset(2)),
        now_ms: NOW,
    }
}

/// Both pages in one picture, without styles.
fn pictures(page: impl Fn(&Look) -> String) -> String {
    let plain = |unicode| anstream::adapter::strip_str(&page(&look(unicode))).to_string();
    let ascii = plain(false);
    assert!(ascii.is_ascii(), "{ascii}");
    format!("{}\n--- without Unicode ---\n{ascii}", plain(true))
}

fn rtx(state: &str, reasons: serde_json::Value) -> serde_json::Value {
    json!({
        "info": {
            "id": "GPU-7f1c", "name": "NVIDIA GeForce RTX 4090", "vendor": "nvidia", "software": false,
            "memory_bytes": 25_757_220_864_u64, "driver": "550.54.14", "pci": "0000:65:00.0",
            "score": {"score": 2210, "fp32_mflops": 72_580_000, "bandwidth_mb_s": 921_000},
        },
        "state": state,
        "reasons": reasons,
        "telemetry": {
            "gpu": "GPU-7f1c", "temperature_c": 71, "power_mw": 311_400, "power_limit_mw": 450_000,
            "load_percent": 98, "memory_used_bytes": 9_663_676_416_u64, "fan_percent": 61, "age_ms": 400,
            "problem": null,
        },
        "floor": 350_000,
    })
}

fn lavapipe(state: &str, reasons: serde_json::Value) -> serde_json::Value {
    json!({
        "info": {
            "id": "sw-llvmpipe", "name": "llvmpipe (LLVM 15.0.6, 256 bits)", "vendor": "software",
            "software": true, "memory_bytes": null, "driver": "Mesa 22.3.6", "pci": null, "score": null,
        },
        "state": state, "reasons": reasons, "telemetry": null, "floor": 40_000,
    })
}

fn lease(change: serde_json::Value) -> serde_json::Value {
    let mut lease = json!({
        "lease": "L-42", "job": "J-9", "name": "path-tracer", "image": "registry.example/tracer@sha256:00",
        "gpus": ["GPU-7f1c"], "state": "running", "price": 352_500, "used_ms": 754_000, "earned": 70_137,
        "progress_permille": 420, "granted_at_ms": NOW - 760_000, "ending": null,
        "may_reach": ["no network", "2 GiB of memory", "its own 20 GB"],
    });
    let fields = change.as_object().unwrap().clone();
    lease.as_object_mut().unwrap().extend(fields);
    lease
}

fn status_of(change: serde_json::Value) -> Status {
    let mut status = json!({
        "sentence": "Ready: your RTX 4090 is on offer from $0.35/h.", "state": "ready", "version": "0.1.0",
        "rig": "rig-1", "gpus": [rtx("ready", json!([]))], "leases": [], "pause": null, "today": 0, "sandbox": null,
        "market": {
            "url": "https://market.example", "connected": true, "last_answer_ms": NOW - 3_000, "fee": 500,
            "problem": null,
        },
    });
    let fields = change.as_object().unwrap().clone();
    status.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(status).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn status_while_renting() {
    let waits = json!([
        {"code": "not_benchmarked", "text": "It was not measured under this driver.", "remedy": "Run `sublet bench`."},
    ]);
    let status = status_of(json!({
        "sentence": "Renting your RTX 4090 for $0.3525/h. $1.32 so far today.", "state": "renting", "today": 1_320_000,
        "gpus": [rtx("renting", json!([])), lavapipe("waiting", waits)],
        "leases": [lease(json!({}))],
    }));
    insta::assert_snapshot!(pictures(|look| status::render(&status, look)));
}

#[test]
fn status_while_ready() {
    let status = status_of(json!({"today": 70_137}));
    insta::assert_snapshot!(pictures(|look| status::render(&status, look)));
}

#[test]
fn status_says_what_holds_for_every_gpu_only_once() {
    let paused = json!({"code": "paused_by_owner", "text": "You paused renting.", "remedy": "It goes on at 15:30."});
    let hot = json!({"code": "too_hot", "text": "The GPU is at 84 °C.", "remedy": "Rents again below 76 °C."});
    let status = status_of(json!({
        "sentence": "Yours: you paused renting.", "state": "yours", "pause": {"until_ms": NOW + 7_200_000},
        "gpus": [rtx("yours", json!([paused, hot])), lavapipe("yours", json!([paused]))],
        "market": {
            "url": "https://market.example", "connected": false, "last_answer_ms": NOW - 600_000, "fee": 500,
            "problem": "the connection was refused",
        },
    }));
    insta::assert_snapshot!(pictures(|look| status::render(&status, look)));
}

#[test]
fn status_says_nothing_twice() {
    let away = json!({"code": "market_unreachable", "text": "The marketplace does not answer: the connection was refused.",
        "remedy": "It is tried again by itself."});
    let status = status_of(json!({
        "sentence": "Waiting. The marketplace does not answer: the connection was refused. It is tried again by itself.",
        "state": "waiting", "gpus": [rtx("waiting", json!([away]))],
        "market": {
            "url": "https://market.example", "connected": false, "last_answer_ms": null, "fee": null,
            "problem": "the connection was refused",
        },
    }));
    insta::assert_snapshot!(pictures(|look| status::render(&status, look)));
}

#[test]
fn status_without_any_gpu() {
    let status = status_of(json!({
        "sentence": "No GPU was found, so nothing can be rented.", "state": "needs_you", "gpus": [],
        "market": {"url": "https://market.example", "connected": false, "last_answer_ms": null, "fee": null, "problem": null},
    }));
    insta::assert_snapshot!(pictures(|look| status::render(&status, look)));
}

#[test]
fn gpus_found() {
    let found: Gpus = read(json!({
        "gpus": [rtx("ready", json!([])), lavapipe("needs_you", json!([]))],
        "problems": ["NVIDIA's library is of another version than its driver; restart the machine."],
    }));
    insta::assert_snapshot!(pictures(|look| gpus::render(&found, look)));
}

#[test]
fn gpus_none() {
    let none: Gpus = read(json!({"gpus": [], "problems": []}));
    insta::assert_snapshot!(pictures(|look| gpus::render(&none, look)));
}

#[test]
fn jobs_of_all_kinds() {
    let ending = |code: &str, exit_code: Option<i64>, message: &str| json!({"code": code, "exit_code": exit_code, "message": message, "outputs": []});
    let done = ending("completed", Some(0), "The job is done.");
    let killed = ending(
        "out_of_memory",
        Some(137),
        "The job outgrew its 2 GiB of memory.\u{1b}[2J",
    );
    let game = json!({"code": "program_runs", "text": "Factorio runs.", "remedy": "Rents again 5 min after it closes.",
        "figures": {"program": "Factorio", "kind": "game", "more": 0, "after_ms": 300_000}});
    let leases: Jobs = read(json!({"leases": [
        lease(json!({})),
        lease(json!({"lease": "L-41b", "state": "finished", "granted_at_ms": NOW - 7_200_000, "used_ms": 61_000,
            "earned": 5_674, "ending": ending("reclaimed", None, "The owner took the GPU back."), "reason": game})),
        lease(json!({"lease": "L-41", "state": "finished", "ending": done, "granted_at_ms": NOW - 86_400_000,
            "used_ms": 31_200, "earned": 2_902, "progress_permille": 1000})),
        lease(json!({"lease": "L-7", "name": "\u{202e}blender", "state": "failed", "ending": killed,
            "granted_at_ms": NOW - 864_000_000, "used_ms": 4_320_000, "earned": 401_850, "progress_permille": null})),
    ]}));
    insta::assert_snapshot!(pictures(|look| jobs::render(&leases, look)));
}

#[test]
fn jobs_none() {
    insta::assert_snapshot!(pictures(|look| jobs::render(
        &Jobs { leases: vec![] },
        look
    )));
}

#[test]
fn wallet_with_earnings() {
    let earned: Wallet = read(json!({
        "gross": 12_999, "fee": 649, "net": 12_350, "proven": 12_300, "unproven": 50, "written_off": 0,
        "today": 12_350, "voucher": null, "payout_address": "0x52908400098527886e0f7030069857d2e4169ee7",
        "earnings": [
            {"lease": "L-42", "name": "path-tracer", "at_ms": NOW, "used_ms": 98_000, "price": 352_500, "gross": 9_595,
                "fee": 479, "net": 9_116, "proven": 9_066, "voucher": 12_300},
            {"lease": "L-41", "name": "path-tracer", "at_ms": NOW - 86_400_000, "used_ms": 35_000, "price": 350_000,
                "gross": 3_404, "fee": 170, "net": 3_234, "proven": 3_234, "voucher": 3_234},
        ],
    }));
    insta::assert_snapshot!(pictures(|look| wallet::render(&earned, look)));
}

#[test]
fn wallet_empty() {
    let empty: Wallet = read(json!({
        "gross": 0, "fee": 0, "net": 0, "proven": 0, "unproven": 0, "written_off": 0, "today": 0, "voucher": null,
        "earnings": [],
    }));
    insta::assert_snapshot!(pictures(|look| wallet::render(&empty, look)));
}

#[test]
fn bench_results() {
    let view: BenchView = read(json!({
        "running": false, "progress_permille": 1000, "step": "", "results": [
            {"gpu": "GPU-7f1c", "name": "NVIDIA GeForce RTX 4090", "spread_permille": 12, "problem": null,
                "score": {"score": 2210, "fp32_mflops": 72_580_000, "bandwidth_mb_s": 921_000}},
            {"gpu": "sw-llvmpipe", "name": "llvmpipe (LLVM 15.0.6, 256 bits)", "score": null, "spread_permille": null,
                "problem": "The driver crashed while it was measured."},
        ],
    }));
    assert_eq!(bench::exit(&view), super::Exit::Failed);
    insta::assert_snapshot!(pictures(|look| bench::render(&view, look)));
}

#[test]
fn bench_none() {
    let view: BenchView =
        read(json!({"running": false, "progress_permille": 0, "step": "", "results": []}));
    insta::assert_snapshot!(pictures(|look| bench::render(&view, look)));
}

#[test]
fn pauses() {
    let until = PauseView {
        until_ms: Some(NOW + 5_400_000),
    };
    let open = PauseView { until_ms: None };
    insta::assert_snapshot!(pictures(|look| {
        pause::render(&until, look) + &pause::render(&open, look) + &pause::render_resumed(look)
    }));
}

/// Settings as an agent without any GPU has them.
fn settings_of(text: &str) -> (tempfile::TempDir, crate::settings::Watched) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.toml"), text).unwrap();
    let overrides = crate::settings::Overrides {
        floor: Some(sublet_protocol::money::HourlyPrice(
            sublet_protocol::money::MicroUsd(350_000),
        )),
        ..Default::default()
    };
    let watched = crate::settings::Watched::open(folder.path(), overrides, Vec::new());
    (folder, watched)
}

#[test]
fn settings_in_force_and_who_says_so() {
    let text = "[rent]\nmode = \"schedule\"\n[[rent.hours]]\ndays = \"mon-fri\"\nfrom = \"22:00\"\nto = \"08:00\"\n[gpu.GPU-7f1c]\nheat.hot_c = 78\n";
    let mut view = settings_of(text).1.view();
    view.file = "/srv/sublet/settings.toml".to_owned();
    insta::assert_snapshot!(pictures(|look| settings::render(&view, look)));
}

#[test]
fn settings_that_do_not_count() {
    let (_folder, mut watched) = settings_of("[rent]\nmode = \"sometimes\"\naway_minutes = 0\n");
    let mut view = watched.view();
    view.problem = view.problem.map(|problem| {
        let (_, rest) = problem.split_once("settings.toml").unwrap();
        format!("/srv/sublet/settings.toml{rest}")
    });
    view.file = "/srv/sublet/settings.toml".to_owned();
    view.values.clear();
    insta::assert_snapshot!(pictures(|look| settings::render(&view, look)));
}

#[test]
fn settings_changed_previewed_and_checked() {
    let (_folder, mut watched) = settings_of("[quiet]\npower_percent = 60\n");
    let change = sublet_protocol::local::settings::SettingsChange::Preset("farm".to_owned());
    let preview = watched.check(&change).unwrap();
    let revision = watched.view().revision;
    let put = sublet_protocol::local::settings::SettingsPut { revision, change };
    let view = watched.change(&put).unwrap();
    let bad =
        sublet_protocol::local::settings::SettingsChange::Text("[heat]\nhot_c = 1\n".to_owned());
    let bad = watched.check(&bad).unwrap();
    let file = std::path::Path::new("new.toml");
    insta::assert_snapshot!(pictures(|look| {
        settings::render_preview(&preview, look)
            + &settings::render_changed(&view, &preview.changes, look)
            + &settings::render_presets(&view.presets, look)
            + &settings::render_check(file, &preview, look)
            + &settings::render_check(file, &bad, look)
    }));
}

#[test]
fn doctor_with_every_verdict() {
    let check = |name: &str, verdict, found: &str, remedy: Option<&str>| Check {
        name: name.to_owned(),
        verdict,
        found: found.to_owned(),
        purpose: "Every job runs in a container of its own.".to_owned(),
        remedy: remedy.map(str::to_owned),
        code: String::new(),
        figures: Default::default(),
    };
    let seen = Doctor {
        checks: vec![
            check(
                "Agent",
                Verdict::Warning,
                "It is not running.",
                Some("Start it with `sublet run`."),
            ),
            check("Disk", Verdict::Good, "80.1 GiB free.", None),
            check(
                "Docker",
                Verdict::Bad,
                "It does not answer.",
                Some("Start Docker."),
            ),
        ],
    };
    assert_eq!(doctor::exit(&seen), super::Exit::Failed);
    insta::assert_snapshot!(pictures(|look| doctor::render(&seen, look)));
}

#[test]
fn colour_is_in_the_page_and_goes_where_it_is_not_wanted() {
    let status = status_of(json!({}));
    let page = status::render(&status, &look(true));
    assert!(page.contains("\x1b["));
    assert!(
        !anstream::adapter::strip_str(&page)
            .to_string()
            .contains('\x1b')
    );
}

#[test]
fn every_command_has_help_with_examples_and_exit_codes() {
    use clap::CommandFactory;
    let mut cli = super::Cli::command();
    cli.clone().debug_assert();
    let names: Vec<String> = cli
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| command.get_name().to_owned())
        .collect();
    assert_eq!(names.len(), 14, "{names:?}");
    for name in names {
        let help = cli
            .find_subcommand_mut(&name)
            .unwrap()
            .render_help()
            .to_string();
        assert!(help.contains("Examples:\n  sublet "), "{name}: {help}");
        assert!(
            help.contains("3  the agent is not running"),
            "{name}: {help}"
        );
    }
}

#[test]
fn simulate_says_what_weeks_would_have_earned_and_where_the_hours_went() {
    use sublet_core::simulate::{Example, simulate as replay};
    let settings = |text| {
        let parsed = crate::settings::parse_text(text, &[]).unwrap();
        parsed.choices.settings
    };
    let gamer = settings("[rent]\nmode = \"away\"\n[price]\nfloor = \"0.14\"\n");
    let gamer = replay(&Example::Gamer.trace(1), &gamer);
    insta::assert_snapshot!(pictures(|look| simulate::render(&gamer, true, look)));
    let farm = settings("[rent]\nmode = \"always\"\n[price]\nfloor = \"0.10\"\n");
    let farm = replay(&Example::Farm.trace(1), &farm);
    insta::assert_snapshot!(pictures(|look| simulate::render(&farm, false, look)));
}

#[test]
fn history_says_what_the_days_were_and_what_is_not_known() {
    let midnight = NOON_OF_TODAY - 12 * 3_600_000;
    let day = 24 * 3_600_000_u64;
    let hour = 3_600_000_u64;
    let electricity = |cost: u64, unmeasured_ms: u64| json!({"cost": cost, "energy_wh": 900, "rented_ms": 3 * hour, "unmeasured_ms": unmeasured_ms, "unpriced_ms": 0});
    let history: History = serde_json::from_value(json!({
        "from_ms": midnight - day, "to_ms": NOW, "recorded_from_ms": midnight - 6 * hour, "problem": null,
        "gpus": [{"gpu": "GPU-7f1c", "name": "NVIDIA GeForce RTX 4090", "segments": [
            {"from_ms": midnight - day, "to_ms": midnight - 6 * hour, "kind": "not_running", "reasons": [], "reason": null, "lease": null},
            {"from_ms": midnight - 6 * hour, "to_ms": midnight - 3 * hour, "kind": "renting", "reasons": [], "reason": null, "lease": "L-42"},
            {"from_ms": midnight - 3 * hour, "to_ms": NOW, "kind": "in_use", "reasons": ["owner_present"],
                "reason": {"code": "owner_present", "text": "Keyboard or mouse are in use.", "remedy": "Later."}, "lease": null},
        ]}],
        "days": [
            {"from_ms": midnight - day, "to_ms": midnight, "hours_ms": {"not_running": 18 * hour, "renting": 3 * hour, "in_use": 3 * hour},
                "gross": 1_020_000, "fee": 51_000, "net": 969_000, "electricity": electricity(300_000, hour), "left": 669_000},
            {"from_ms": midnight, "to_ms": NOW, "hours_ms": {"in_use": NOW - midnight},
                "gross": 0, "fee": 0, "net": 0, "electricity": electricity(0, 3 * hour), "left": null},
        ],
        "weeks": [],
    }))
    .unwrap();
    insta::assert_snapshot!(pictures(|look| history::render(&history, true, look)));
    let none = History {
        recorded_from_ms: None,
        problem: Some("there is no room left on the disk".to_owned()),
        ..history
    };
    insta::assert_snapshot!(pictures(|look| history::render(&none, false, look)));
}

/// 2026-11-21 12:00 where the owner lives.
const NOON_OF_TODAY: u64 = NOW - 5_400_000;
