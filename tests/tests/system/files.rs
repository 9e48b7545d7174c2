//! What jobs read, what they make, and what they go on from, over everything that gets in between.

use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::Rig;
use sublet_tests::wait::until;
use sublet_tests::{containers, jobs};

const SOON: Duration = Duration::from_secs(60);
const LATE: Duration = Duration::from_secs(240);
/// Passes of the picture in all, and between two checkpoints of the job's own.
const PASSES: u64 = 200;
const BETWEEN: u64 = 10;

/// A picture that takes some ten seconds; with a checkpoint, one that another rig can go on with.
fn picture(keeping: bool) -> String {
    let (passes, between) = (PASSES.to_string(), BETWEEN.to_string());
    let mut words = vec!["--width", "320", "--height", "180", "--samples", &passes];
    if !keeping {
        return jobs::spec(&words, "", "0.50");
    }
    words.extend([
        "--checkpoint",
        "/keep/film",
        "--checkpoint-passes",
        &between,
    ]);
    let lines = "      checkpoint: {folder: /keep, interval: 1s}\n      deadline: 30m\n";
    jobs::spec(&words, lines, "0.50")
}

fn name(rig: &Rig) -> String {
    rig.json("status")["rig"].as_str().unwrap().to_owned()
}

/// The CID of a completed job's picture.
fn cid(view: &Value) -> String {
    let leases = view["leases"].as_array().unwrap();
    let output = &leases.last().unwrap()["ending"]["outputs"][0];
    output["cid"].as_str().unwrap().to_owned()
}

/// After how many passes a lease began, and after how many it ended, by its own log.
fn passes(market: &Market, job: &str, lease: &Value) -> (u64, u64) {
    let lease = lease["lease"].as_str().unwrap();
    let log = market.renter(&["logs", job, "--lease", lease]).out;
    let number = |line: &str, at: usize| line.split(' ').nth(at).unwrap().parse().unwrap();
    let begun = log.lines().find(|line| line.starts_with("goes on after "));
    let ended = log.lines().rev().find(|line| line.starts_with("progress "));
    let begun = begun.map_or(0, |line| number(line, 3));
    (begun, ended.map_or(begun, |line| number(line, 2)))
}

/// Waits until a job's newest lease has got so far.
fn until_progress(market: &Market, job: &str, permille: u64) -> Value {
    until("the job's progress", LATE, || {
        let view = market.job(job);
        let lease = view["leases"].as_array().unwrap().last().cloned();
        match lease {
            Some(lease)
                if lease["state"] == "running"
                    && lease["progress_permille"].as_u64() >= Some(permille) =>
            {
                Ok(lease)
            }
            _ => Err(view.to_string()),
        }
    })
}

#[test]
fn a_job_reclaimed_three_times_across_two_rigs_makes_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rigs = ["a", "b"].map(|name| Rig::ready(&folder.path().join(name), &market.url));
    let names = [name(&rigs[0]), name(&rigs[1])];

    let job = market.submit(&picture(true));
    for (at, mark) in [250, 500, 750].into_iter().enumerate() {
        let lease = until_progress(&market, &job, mark);
        let here = names.iter().position(|name| lease["rig"] == *name).unwrap();
        let there = &rigs[1 - here];
        assert_eq!(there.run(&["resume"]).code, 0);
        there.until_status("ready", |status| status["state"] == "ready");
        let begun = std::time::Instant::now();
        assert_eq!(rigs[here].run(&["pause", "1h"]).code, 0);
        while !containers::running_of_rig(&names[here]).is_empty() {
            assert!(
                begun.elapsed() < Duration::from_secs(1),
                "the job still runs"
            );
        }
        until("the lease's end", SOON, || {
            let lease = market.job(&job)["leases"][at].clone();
            match lease["ending"]["code"].as_str() {
                Some("reclaimed") if lease["checkpoint"]["bytes"].is_u64() => Ok(()),
                _ => Err(lease.to_string()),
            }
        });
    }
    let view = market.until_job(&job, &["completed"], LATE);
    let leases = view["leases"].as_array().unwrap();
    let on: Vec<&Value> = leases.iter().map(|lease| &lease["rig"]).collect();
    assert_eq!(on.len(), 4, "{view}");
    assert!(on[0] != on[1] && on[0] == on[2] && on[1] == on[3], "{on:?}");

    // Nothing of it was done twice but what lay between two of the job's own checkpoints.
    let done: Vec<(u64, u64)> = leases
        .iter()
        .map(|lease| passes(&market, &job, lease))
        .collect();
    assert_eq!(done[0].0, 0);
    assert_eq!(done[3].1, PASSES, "{done:?}");
    for pair in done.windows(2) {
        let (ended, begun) = (pair[0].1, pair[1].0);
        assert!(begun > pair[0].0, "it went on: {done:?}");
        // The pass that was under way may be done, and not told.
        assert!(ended < begun + BETWEEN + 1, "{done:?}");
    }

    for rig in &rigs {
        assert_eq!(rig.run(&["resume"]).code, 0);
    }
    let plain = market.submit(&picture(false));
    let undisturbed = market.until_job(&plain, &["completed"], LATE);
    assert_eq!(
        cid(&view),
        cid(&undisturbed),
        "the same picture to the byte"
    );

    let mut earned = 0;
    for rig in &rigs {
        earned += rig.until_settled()["gross"].as_u64().unwrap();
    }
    assert_eq!(market.account()["spent"].as_u64(), Some(earned));
    for name in &names {
        assert_eq!(containers::of_rig(name), Vec::<String>::new());
    }
}

#[test]
fn a_job_of_a_rig_that_dies_goes_on_elsewhere_from_its_last_interval() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    // Both are there from the start: the job would be over before a rig is made ready.
    let rigs = ["a", "b"].map(|name| Rig::ready(&folder.path().join(name), &market.url));
    let job = market.submit(&picture(true));
    let taker = until("a checkpoint", LATE, || {
        let lease = market.job(&job)["leases"][0].clone();
        match lease["checkpoint"]["used_ms"].as_u64() {
            Some(_) => Ok(lease["rig"].clone()),
            None => Err(lease.to_string()),
        }
    });
    let [one, other] = rigs;
    let (mut first, second) = if taker == name(&one) {
        (one, other)
    } else {
        (other, one)
    };
    first.kill_dead();
    let view = market.until_job(&job, &["completed"], LATE);
    let leases = view["leases"].as_array().unwrap();
    assert_eq!(leases.len(), 2, "{view}");
    assert_eq!(leases[0]["state"], "lost", "{view}");
    let (begun, ended) = passes(&market, &job, &leases[1]);
    assert!(begun > 0 && ended == PASSES, "{begun} to {ended}");
    // The dead one comes back, hears that its job is another's, and tidies up.
    first.start();
    let plain = market.submit(&picture(false));
    let undisturbed = market.until_job(&plain, &["completed"], LATE);
    assert_eq!(cid(&view), cid(&undisturbed));
    for rig in [&first, &second] {
        rig.until_settled();
        assert_eq!(containers::of_rig(&name(rig)), Vec::<String>::new());
    }
}

/// A file whose bytes are not all the same.
fn write_input(file: &Path, mib: u32) {
    let block: Vec<u8> = (0..1 << 20).map(|n: u32| (n % 251) as u8).collect();
    let mut bytes = Vec::new();
    for n in 0..mib {
        bytes.extend_from_slice(&n.to_le_bytes());
        bytes.extend_from_slice(&block);
    }
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn an_input_comes_whole_though_the_agent_is_killed_while_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut rig = Rig::ready(folder.path(), &market.url);
    // Beside the job file, which is where its paths begin.
    write_input(&folder.path().join("market/scene.bin"), 64);
    let words = ["--width", "96", "--height", "54", "--samples", "4"];
    let lines = "      inputs: {/in/scene.bin: ./scene.bin}\n";
    let job = market.submit(&jobs::spec(&words, lines, "0.50"));

    let inputs = rig.data.join("inputs");
    let part = || {
        let files = std::fs::read_dir(&inputs).ok()?.flatten();
        let mut sizes = files.filter(|file| file.path().extension().is_some_and(|e| e == "part"));
        sizes
            .next()
            .and_then(|file| Some(file.metadata().ok()?.len()))
    };
    let begun = until("some of the input", SOON, || match part() {
        Some(bytes) if bytes > 1 << 20 => Ok(bytes),
        other => Err(format!("{other:?}")),
    });
    rig.kill_dead();
    let kept = part().unwrap();
    assert!(kept >= begun, "{kept}");
    rig.start();
    market.until_job(&job, &["completed"], SOON);
    let log = std::fs::read_to_string(folder.path().join("agent.log")).unwrap();
    let whole = 64 * ((1 << 20) + 4);
    let rest = format!("bytes={}", whole - kept);
    assert!(log.contains(&rest), "{rest} in {log}");

    // The next job finds it here.
    let again = market.submit(&jobs::spec(&words, lines, "0.50"));
    market.until_job(&again, &["completed"], SOON);
    let log = std::fs::read_to_string(folder.path().join("agent.log")).unwrap();
    assert_eq!(log.matches("an input is here").count(), 1, "{log}");
    rig.until_settled();
}

#[test]
fn an_upload_goes_on_though_the_marketplace_is_killed_in_its_middle() {
    let folder = tempfile::tempdir().unwrap();
    let mut market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = Rig::ready(folder.path(), &market.url);
    let words = ["--width", "4096", "--height", "2160", "--samples", "1"];
    let job = market.submit(&jobs::spec(&words, "", "0.50"));
    let incoming = folder.path().join("market/blobs/incoming");
    until("some of the output", LATE, || {
        let files = std::fs::read_dir(&incoming).unwrap().flatten();
        let bytes: u64 = files
            .map(|file| file.metadata().map_or(0, |m| m.len()))
            .sum();
        match bytes {
            bytes if bytes > 1 << 20 => Ok(()),
            bytes => Err(bytes.to_string()),
        }
    });
    market.process.take().unwrap().kill_dead();
    market.restart();
    let view = market.until_job(&job, &["completed"], LATE);
    let log = std::fs::read_to_string(folder.path().join("market/log")).unwrap();
    assert!(
        log.contains("an upload goes on where it broke off"),
        "{log}"
    );
    let wallet = rig.until_settled();
    assert_eq!(wallet["gross"], view["charged"]);
    let left = std::fs::read_dir(&incoming).unwrap().count();
    assert_eq!(left, 0, "nothing half is left");
}
