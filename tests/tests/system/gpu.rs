//! NVIDIA cards, played by a stand-in for the driver's library: the agent loads it as it would the real one.

use nvml_sim::{Code, Gpu, Process, Scenario};
use serde_json::Value;
use std::path::Path;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::{HEADLESS, Rig, With};

fn rig_with(
    folder: &Path,
    market: &Market,
    scenario: &Scenario,
    settings: Option<&str>,
) -> (Rig, nvml_sim::Stage) {
    let nvml = folder.join("nvml");
    std::fs::create_dir(&nvml).unwrap();
    let stage = nvml_sim::stage(&nvml, scenario).unwrap_or_else(|error| panic!("{error}"));
    let library = stage.library().to_str().unwrap().to_owned();
    let with = With {
        env: vec![("SUBLET_NVML_LIBRARY".into(), library)],
        settings: settings.map(|own| format!("{HEADLESS}{own}")),
        ..With::default()
    };
    let mut rig = Rig::new(folder, &market.url, with);
    rig.start();
    (rig, stage)
}

/// The card among the software adapter.
fn card(status: &Value) -> &Value {
    status["gpus"]
        .as_array()
        .unwrap()
        .iter()
        .find(|gpu| gpu["info"]["vendor"] == "nvidia")
        .unwrap()
}

fn has(status: &Value, code: &str) -> bool {
    card(status)["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .any(|reason| reason["code"] == code)
}

#[test]
fn a_card_is_watched_and_what_is_wrong_with_it_is_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let calm = Gpu {
        name: "NVIDIA GeForce RTX 4090".into(),
        temperature_c: 45,
        ..Gpu::default()
    };
    let (rig, stage) = rig_with(
        folder.path(),
        &market,
        &Scenario::with_gpus([calm.clone()]),
        None,
    );
    let status = rig.until_status("a reading", |s| card(s)["telemetry"]["temperature_c"] == 45);
    assert_eq!(card(&status)["info"]["name"], "NVIDIA GeForce RTX 4090");
    assert!(has(&status, "not_benchmarked"), "{status}");
    assert!(!has(&status, "too_hot"));

    let show = |gpu: Gpu| stage.set(&Scenario::with_gpus([gpu])).unwrap();
    show(Gpu {
        temperature_c: 84,
        ..calm.clone()
    });
    let status = rig.until_status("the heat", |s| has(s, "too_hot"));
    let text = card(&status)["reasons"].to_string();
    assert!(text.contains("84 °C") && text.contains("76 °C"), "{text}");
    show(Gpu {
        temperature_c: 77,
        ..calm.clone()
    });
    let status = rig.until_status("a cooler card", |s| {
        card(s)["telemetry"]["temperature_c"] == 77
    });
    assert!(has(&status, "too_hot"), "not cool enough yet: {status}");
    show(Gpu {
        temperature_c: 70,
        ..calm.clone()
    });
    rig.until_status("a cool card", |s| !has(s, "too_hot"));

    let game = Process {
        pid: 4_000_000,
        memory_mib: Some(6_000),
        ..Process::default()
    };
    show(Gpu {
        graphics_processes: vec![game],
        ..calm.clone()
    });
    rig.until_status("the game", |s| has(s, "gpu_in_use"));
    show(Gpu {
        errors: [("*".to_owned(), Code::GpuIsLost)].into(),
        ..calm.clone()
    });
    let status = rig.until_status("the loss", |s| has(s, "gpu_lost"));
    assert_eq!(card(&status)["state"], "needs_you");
    assert_eq!(card(&status)["telemetry"]["temperature_c"], Value::Null);
    show(calm);
    rig.until_status("the card back", |s| !has(s, "gpu_lost"));
}

#[test]
fn a_driver_that_is_being_updated_is_told_and_the_agent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let scenario = Scenario {
        init_error: Some(Code::LibRmVersionMismatch),
        ..Scenario::default()
    };
    let (rig, _stage) = rig_with(folder.path(), &market, &scenario, None);
    let gpus = rig.json("gpus");
    assert!(gpus["problems"].to_string().contains("updated"), "{gpus}");
    assert_eq!(rig.run(&["status"]).code, 0);
}

#[test]
fn a_card_that_comes_after_the_start_is_taken_in_and_bounds_what_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let away = Scenario {
        init_error: Some(Code::LibRmVersionMismatch),
        ..Scenario::default()
    };
    let hot = "[heat]\nhot_c = 85\n";
    let (rig, stage) = rig_with(folder.path(), &market, &away, Some(hot));
    let nvidia = |status: &Value| {
        let gpus = status["gpus"].as_array().unwrap();
        gpus.iter().any(|gpu| gpu["info"]["vendor"] == "nvidia")
    };
    let settings = rig.json("settings");
    assert_eq!(settings["problem"], Value::Null, "{settings}");
    assert!(!nvidia(&rig.json("status")));

    stage
        .set(&Scenario::with_gpus([Gpu {
            name: "NVIDIA GeForce RTX 4090".into(),
            slowdown_temperature_c: 80,
            ..Gpu::default()
        }]))
        .unwrap();
    let status = rig.until_status("the card", nvidia);
    assert!(has(&status, "settings_unreadable"), "{status}");
    let settings = rig.json("settings");
    let fault = &settings["faults"][0];
    assert_eq!(fault["key"], "heat.hot_c", "{settings}");
    assert_eq!(fault["line"], 5, "{settings}");
    let gpus = rig.json("gpus");
    assert!(!gpus["problems"].to_string().contains("updated"), "{gpus}");
}
