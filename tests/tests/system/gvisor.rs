//! gVisor: used where it works, asked for by name, and not believed where it only has the name.

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use sublet_tests::dockerd::Dockerd;
use sublet_tests::jobs;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::{Rig, With};

/// A Docker whose runtime `runsc` is this program.
fn docker(folder: &Path, runtime: &Value) -> Dockerd {
    std::fs::create_dir_all(folder).unwrap();
    let config = folder.join("daemon.json");
    let text = json!({"runtimes": {"runsc": runtime}}).to_string();
    std::fs::write(&config, text).unwrap();
    let words = ["--config-file".to_owned(), config.display().to_string()];
    Dockerd::start_with(folder, &words)
}

fn rig_on(docker: &Dockerd, folder: &Path, market: &Market) -> Rig {
    let with = With {
        env: vec![("DOCKER_HOST".into(), docker.host())],
        words: vec!["--allow-software-gpu".into()],
        settings: None,
    };
    let mut rig = Rig::new(folder, &market.url, with);
    rig.start();
    rig.until_status("connected", |status| status["market"]["connected"] == true);
    let said = rig.run(&["bench"]);
    assert_eq!(said.code, 0, "{said:?}");
    rig.until_status("ready", |status| status["state"] == "ready");
    rig
}

fn apart() -> String {
    jobs::spec(
        &["--width", "96", "--height", "54", "--samples", "4"],
        "      isolation: gvisor\n",
        "0.50",
    )
}

#[test]
fn a_job_that_asks_for_gvisor_runs_in_it_and_its_result_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let runsc = json!({"path": "/usr/bin/runsc", "runtimeArgs": ["--network=none"]});
    let docker = docker(&folder.path().join("docker"), &runsc);
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = rig_on(&docker, folder.path(), &market);
    let gvisor = &rig.json("status")["sandbox"]["enforced"]["gvisor"];
    assert_eq!(gvisor["state"], "works", "{gvisor}");
    let job = market.submit(&apart());
    let view = market.until_job(&job, &["completed"], Duration::from_secs(90));
    assert_eq!(view["leases"][0]["ending"]["code"], "completed", "{view}");
    rig.until_settled();
}

#[test]
fn what_only_has_gvisors_name_is_found_out_and_such_a_job_waits() {
    let folder = tempfile::tempdir().unwrap();
    let runc = json!({"path": "runc"});
    let docker = docker(&folder.path().join("docker"), &runc);
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = rig_on(&docker, folder.path(), &market);
    let gvisor = rig.json("status")["sandbox"]["enforced"]["gvisor"].clone();
    assert_eq!(gvisor["state"], "broken", "{gvisor}");
    let why = gvisor["why"].as_str().unwrap();
    assert!(why.contains("the host's own kernel"), "{why}");
    let job = market.submit(&apart());
    let waits = market.until_waiting(&job, "gVisor");
    assert!(waits.contains("none under gVisor"), "{waits}");
    // Others run, without it.
    let plain = market.submit(&jobs::quick());
    market.until_job(&plain, &["completed"], Duration::from_secs(90));
    rig.until_settled();
}
