//! Bad input gets a clear error, and nothing is lost.

use std::process::Command;
use std::time::Duration;
use sublet_tests::jobs;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::program::{Said, given, run};
use sublet_tests::rig::{Rig, With};

fn refused(market: &Market, spec: &str) -> Said {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), spec).unwrap();
    let said = market.renter(&["submit", file.path().to_str().unwrap()]);
    assert_ne!(said.code, 0, "{said:?}");
    said
}

#[test]
fn a_spec_that_asks_for_too_much_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let good = jobs::quick();
    for (spec, words) in [
        (
            good.replace("    x-sublet:", "    privileged: true\n    x-sublet:"),
            ["line 6", "privileged"],
        ),
        (
            good.replace("    x-sublet:", "    imgae: x\n    x-sublet:"),
            ["line 6", "imgae"],
        ),
        (good.replace("@sha256:", ":latest #"), ["line 3", "digest"]),
    ] {
        let said = refused(&market, &spec);
        for word in words {
            assert!(said.err.contains(word), "{said:?}");
        }
    }
}

#[test]
fn a_digest_that_nobody_has_fails_the_job_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = Rig::ready(folder.path(), &market.url);
    let image = given("SUBLET_SAMPLE_IMAGE");
    let (name, _) = image.split_once('@').unwrap();
    let spec = jobs::quick().replace(&image, &format!("{name}@sha256:{}", "0".repeat(64)));
    let job = market.submit(&spec);
    let view = market.until_job(&job, &["failed"], Duration::from_secs(60));
    assert_eq!(
        view["leases"][0]["ending"]["code"], "image_not_found",
        "{view}"
    );
    assert_eq!(view["charged"], 0);
    assert_eq!(rig.until_settled()["gross"], 0);
}

#[test]
fn a_second_agent_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut rig = Rig::new(folder.path(), &market.url, With::default());
    rig.start();
    let said = run(&mut rig.command());
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("rig"), "{said:?}");
    assert_eq!(rig.run(&["status"]).code, 0, "the first one goes on");
}

#[test]
fn a_database_that_cannot_be_used_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut rig = Rig::new(folder.path(), &market.url, With::default());
    rig.start();
    rig.process.take().unwrap().signal_and_wait();
    let path = rig.data.join("sublet.sqlite");
    let whole = std::fs::read(&path).unwrap();
    let mut newer = whole.clone();
    // The format keeps `user_version` at byte 60, big endian.
    newer[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    let cut = whole[..whole.len() / 2].to_vec();
    for (content, word) in [(newer, "newer"), (cut, "sublet.sqlite")] {
        std::fs::write(&path, &content).unwrap();
        let said = run(&mut rig.command());
        assert_ne!(said.code, 0, "{said:?}");
        assert!(said.err.contains(word), "{said:?}");
        assert_eq!(
            std::fs::read(&path).unwrap(),
            content,
            "the file was changed"
        );
    }
    std::fs::write(&path, &whole).unwrap();
    rig.start();
}

#[test]
fn a_command_without_an_agent_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path(), "http://127.0.0.1:9", With::default());
    let said = rig.run(&["status"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("sublet run"), "{said:?}");
}

#[test]
fn plain_http_to_another_machine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path(), "http://market.example", With::default());
    let said = run(&mut rig.command());
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("https"), "{said:?}");
}

/// A disk of its own, a few megabytes small, mounted for one test.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let said = run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(at));
        assert_eq!(
            said.code, 0,
            "this test mounts a small disk, which takes root: {said:?}"
        );
        Self(at.to_owned())
    }

    /// Writes until nothing more fits.
    fn fill(&self) -> std::path::PathBuf {
        let path = self.0.join("filling");
        let mut file = std::fs::File::create(&path).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 512]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let said = run(Command::new("umount").arg("--lazy").arg(&self.0));
        if said.code != 0 && !std::thread::panicking() {
            panic!("the small disk could not be unmounted: {said:?}");
        }
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_new_is_rented_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let disk = SmallDisk::mount(&folder.path().join("small"));
    let mut rig = Rig::new(&folder.path().join("small"), &market.url, With::default());
    rig.start();
    let filling = disk.fill();
    let said = rig.run(&["pause"]);
    assert_ne!(
        said.code, 0,
        "a pause that a restart would forget is not simply a success: {said:?}"
    );
    assert!(said.err.contains("could not be stored"), "{said:?}");
    let status = rig.until_status("the reason", |s| {
        s["gpus"][0]["reasons"]
            .to_string()
            .contains("ledger_unwritable")
    });
    assert!(
        status["pause"].is_object(),
        "the pause holds all the same: {status}"
    );

    std::fs::remove_file(filling).unwrap();
    rig.until_status("room again", |s| {
        !s["gpus"][0]["reasons"]
            .to_string()
            .contains("ledger_unwritable")
    });
    rig.kill_dead();
    rig.start();
    assert!(
        rig.json("status")["pause"].is_object(),
        "stored once there was room"
    );
    rig.process = None;
    drop(disk);
}
