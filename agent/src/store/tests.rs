//! The store and the hardships of a disk.

use std::fs;
use std::path::Path;

use sublet_protocol::ids::{GpuId, LeaseId};

use super::{BenchKey, Change, FILE_NAME, Store, StoreError};
use crate::wallet::tests::{Payer, line, runs};
use crate::wallet::{Applied, WalletError};

fn remembers(json: &str) -> Change {
    Change {
        memory_json: Some(json.to_owned()),
        ..Change::default()
    }
}

fn ended(lease: &str, json: &str) -> (LeaseId, String) {
    (LeaseId::new(lease).unwrap(), json.to_owned())
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let data = tempfile::tempdir().unwrap();
    let gpu = GpuId::new("GPU-1").unwrap();
    let key = BenchKey {
        gpu: &gpu,
        driver: "550.1",
        kernels: "1",
    };
    let mut store = Store::open(data.path()).unwrap();
    assert_eq!(store.load_memory().unwrap(), None);
    store.commit(&remembers("one")).unwrap();
    let change = Change {
        memory_json: Some("two".into()),
        archived: vec![ended("a", "1"), ended("b", "2"), ended("a", "3")],
        ledger: vec![runs(0, 1000)],
    };
    assert_eq!(store.commit(&change).unwrap(), [Ok(Applied::Changed)]);
    store.save_bench(&key, "{}").unwrap();
    store.pin("channel", "abc").unwrap();
    drop(store);

    let mut store = Store::open(data.path()).unwrap();
    assert_eq!(store.load_memory().unwrap().as_deref(), Some("two"));
    assert_eq!(store.archived(10).unwrap(), ["2", "3"]);
    assert_eq!(store.archived(1).unwrap(), ["2"]);
    assert_eq!(store.bench(&key).unwrap().as_deref(), Some("{}"));
    let newer_driver = BenchKey {
        driver: "551",
        ..key
    };
    assert_eq!(store.bench(&newer_driver).unwrap(), None);
    assert_eq!(
        store.lease_net(&LeaseId::new("lease-0").unwrap()).unwrap(),
        line(0, 1000).net
    );
    assert!(store.audit().unwrap().holds());

    store.pin("channel", "abc").unwrap();
    assert!(matches!(
        store.pin("channel", "other"),
        Err(StoreError::PinnedOtherwise { .. })
    ));
    assert_eq!(store.pinned("channel").unwrap().as_deref(), Some("abc"));
    store.unpin("channel").unwrap();
    store.pin("channel", "other").unwrap();
}

#[test]
fn a_refused_entry_keeps_nothing_else_from_being_written() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    let payer = Payer::new(1);
    let change = Change {
        memory_json: Some("kept".into()),
        archived: vec![],
        ledger: vec![
            runs(0, 1000),
            payer.pays(vec![line(0, 2000)]),
            payer.pays(vec![line(0, 1000)]),
        ],
    };
    let outcomes = store.commit(&change).unwrap();
    assert_eq!(outcomes[0], Ok(Applied::Changed));
    assert!(matches!(
        outcomes[1],
        Err(WalletError::MoreThanMetered { .. })
    ));
    assert_eq!(outcomes[2], Ok(Applied::Changed));
    assert_eq!(store.load_memory().unwrap().as_deref(), Some("kept"));
    assert!(store.audit().unwrap().holds());
}

#[test]
fn a_second_agent_on_the_same_folder_is_told_so() {
    let data = tempfile::tempdir().unwrap();
    let first = Store::open(data.path()).unwrap();
    let refused = Store::open(data.path()).unwrap_err();
    assert!(matches!(refused, StoreError::InUse(_)));
    let text = refused.to_string();
    assert!(text.contains(&data.path().display().to_string()), "{text}");
    drop(first);
    Store::open(data.path()).unwrap();
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    drop(Store::open(data.path()).unwrap());
    let path = data.path().join(FILE_NAME);
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 999).unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    assert!(matches!(
        Store::open(data.path()),
        Err(StoreError::Newer { found: 999, .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A data folder with enough in its database that it has many pages.
fn with_history(data: &Path) {
    let mut store = Store::open(data).unwrap();
    let archived = (0..400)
        .map(|number| ended(&format!("lease-{number}"), &"x".repeat(500)))
        .collect();
    let change = Change {
        archived,
        ..remembers("kept")
    };
    store.commit(&change).unwrap();
}

#[test]
fn a_damaged_database_is_refused_and_never_overwritten() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let damages: [(&str, Damage); 6] = [
        ("cut in half", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("cut within a page", |bytes| {
            bytes[..bytes.len() - 1000].to_vec()
        }),
        ("cut within the header", |bytes| bytes[..50].to_vec()),
        ("empty", |_| vec![]),
        ("something else", |bytes| vec![b'?'; bytes.len()]),
        ("a page of zeros in its middle", |mut bytes| {
            let middle = bytes.len() / 2 / 4096 * 4096;
            bytes[middle..middle + 4096].fill(0);
            bytes
        }),
    ];
    for (what, damage) in damages {
        let data = tempfile::tempdir().unwrap();
        with_history(data.path());
        let path = data.path().join(FILE_NAME);
        let damaged = damage(fs::read(&path).unwrap());
        fs::write(&path, &damaged).unwrap();
        for _ in 0..2 {
            let refused = Store::open(data.path()).expect_err(what);
            assert!(
                matches!(refused, StoreError::Damaged { .. }),
                "{what}: {refused}"
            );
            assert!(refused.to_string().contains("backup"), "{what}: {refused}");
            assert_eq!(fs::read(&path).unwrap(), damaged, "{what}");
        }
    }
}

#[test]
fn a_vanished_database_whose_log_remains_is_not_replaced_by_an_empty_one() {
    let data = tempfile::tempdir().unwrap();
    drop(Store::open(data.path()).unwrap());
    let path = data.path().join(FILE_NAME);
    fs::rename(&path, data.path().join(format!("{FILE_NAME}-wal"))).unwrap();
    assert!(matches!(
        Store::open(data.path()),
        Err(StoreError::Damaged { .. })
    ));
    assert!(!path.exists());
}

#[test]
fn a_first_start_that_was_killed_half_way_is_started_over() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join(format!("{FILE_NAME}.new")), b"half").unwrap();
    fs::write(data.path().join(format!("{FILE_NAME}.new-journal")), b"x").unwrap();
    Store::open(data.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn the_folder_and_its_files_are_the_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempfile::tempdir().unwrap();
    let data = outer.path().join("deep/data");
    let mut store = Store::open(&data).unwrap();
    store.commit(&remembers("x")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 3, "lock, database and its log");
}

#[cfg(target_os = "linux")]
mod on_a_small_disk {
    use super::*;
    use std::path::PathBuf;
    use std::process::Command;

    /// A file system of its own in memory, gone when dropped.
    struct SmallDisk {
        point: tempfile::TempDir,
    }

    impl SmallDisk {
        fn new(size: &str) -> Self {
            let point = tempfile::tempdir().unwrap();
            let disk = Self { point };
            disk.mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "none"]);
            disk
        }

        fn mount(&self, options: &[&str]) {
            let done = Command::new("mount")
                .args(options)
                .arg(self.point.path())
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "this test mounts a small disk and needs root for that: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        }

        fn data(&self) -> PathBuf {
            self.point.path().join("data")
        }

        /// Leaves no byte free; the filler's path.
        fn fill(&self) -> PathBuf {
            use std::io::Write;
            let path = self.point.path().join("filler");
            let mut filler = fs::File::create(&path).unwrap();
            for size in [4096, 1] {
                while filler.write_all(&vec![0; size]).is_ok() {}
            }
            path
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let done = Command::new("umount")
                .arg("--lazy")
                .arg(self.point.path())
                .status();
            if !done.is_ok_and(|status| status.success()) && !std::thread::panicking() {
                panic!("{} is still mounted", self.point.path().display());
            }
        }
    }

    #[test]
    fn a_full_disk_loses_nothing_and_the_same_change_goes_through_once_there_is_room() {
        let disk = SmallDisk::new("4m");
        let mut store = Store::open(&disk.data()).unwrap();
        let first = Change {
            ledger: vec![runs(0, 1000)],
            ..remembers("first")
        };
        store.commit(&first).unwrap();
        let filler = disk.fill();
        let second = Change {
            ledger: vec![runs(0, 9000), Payer::new(1).pays(vec![line(0, 9000)])],
            ..remembers(&"second".repeat(100_000))
        };
        for _ in 0..3 {
            let refused = store.commit(&second).unwrap_err();
            assert!(matches!(refused, StoreError::Full(_)), "{refused}");
            assert_eq!(store.load_memory().unwrap().as_deref(), Some("first"));
            assert_eq!(store.wallet(0).unwrap().net, line(0, 1000).net);
            assert!(store.audit().unwrap().holds());
        }
        fs::remove_file(filler).unwrap();
        store.commit(&second).unwrap();
        drop(store);
        let store = Store::open(&disk.data()).unwrap();
        assert_eq!(store.load_memory().unwrap(), second.memory_json);
        assert_eq!(store.wallet(0).unwrap().proven, line(0, 9000).net);
        assert!(store.audit().unwrap().holds());
    }

    #[test]
    fn a_full_disk_at_the_start_is_named() {
        let disk = SmallDisk::new("4m");
        drop(Store::open(&disk.data()).unwrap());
        disk.fill();
        for folder in [disk.data(), disk.point.path().join("another")] {
            let refused = Store::open(&folder).unwrap_err();
            assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
        }
    }

    #[test]
    fn a_read_only_disk_is_named() {
        let disk = SmallDisk::new("4m");
        drop(Store::open(&disk.data()).unwrap());
        disk.mount(&["-o", "remount,ro"]);
        for folder in [disk.data(), disk.point.path().join("another")] {
            let refused = Store::open(&folder).unwrap_err();
            assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused:?}");
        }
    }
}

#[test]
fn a_database_that_turns_read_only_says_so_and_goes_on_when_it_may() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    store.commit(&remembers("first")).unwrap();
    store
        .connection
        .pragma_update(None, "query_only", true)
        .unwrap();
    assert!(matches!(
        store.commit(&remembers("second")),
        Err(StoreError::ReadOnly(_))
    ));
    assert_eq!(store.load_memory().unwrap().as_deref(), Some("first"));
    store
        .connection
        .pragma_update(None, "query_only", false)
        .unwrap();
    store.commit(&remembers("second")).unwrap();
}

mod killed {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    const FOLDER_VARIABLE: &str = "SUBLET_TEST_COMMITS_IN";
    const NAME: &str = "store::tests::killed::at_any_point_no_second_is_lost_or_counted_twice";

    /// The child: each commit carries the same second in memory and in the ledger, and is then said aloud.
    #[expect(clippy::print_stdout, reason = "the child tells its parent")]
    fn commit_forever(data: &Path) {
        let payer = Payer::new(1);
        let mut store = Store::open(data).unwrap();
        let from: u64 = store
            .load_memory()
            .unwrap()
            .map_or(0, |json| json.parse().unwrap());
        for second in from + 1.. {
            let used_ms = second * 1000;
            let change = Change {
                archived: vec![ended("lease-0", &second.to_string())],
                ledger: vec![runs(0, used_ms), payer.pays(vec![line(0, used_ms)])],
                ..remembers(&second.to_string())
            };
            for outcome in store.commit(&change).unwrap() {
                outcome.unwrap();
            }
            println!("\ncommitted {second}");
        }
    }

    #[test]
    fn at_any_point_no_second_is_lost_or_counted_twice() {
        if let Some(data) = std::env::var_os(FOLDER_VARIABLE) {
            commit_forever(Path::new(&data));
            return;
        }
        let data = tempfile::tempdir().unwrap();
        let mut last = 0;
        for round in 0..8u64 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
                .env(FOLDER_VARIABLE, data.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // A thread, so that the pipe never fills; it ends with the child's output.
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let heard = std::thread::spawn(move || {
                let said = lines.map_while(Result::ok);
                said.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok())
                    .last()
            });
            // A different moment each time; what it hits does not matter, only that it hits at all.
            std::thread::sleep(Duration::from_millis(150 + round * 23));
            child.kill().unwrap();
            child.wait().unwrap();
            let heard = heard.join().unwrap().unwrap_or(last);

            let store = Store::open(data.path()).unwrap();
            let second: u64 = store
                .load_memory()
                .unwrap()
                .map_or(0, |json| json.parse().unwrap());
            assert!(second >= heard, "said {heard}, found {second}");
            assert!(second <= heard + 1, "said {heard}, found {second}");
            last = second;
            let audit = store.audit().unwrap();
            assert!(audit.holds(), "{:?}", audit.problems);
            if second > 0 {
                let wallet = store.wallet(0).unwrap();
                assert_eq!(wallet.net, line(0, second * 1000).net);
                assert_eq!(wallet.proven, wallet.net);
                assert_eq!(store.archived(1).unwrap(), [second.to_string()]);
            }
        }
        assert!(last > 0, "the child never committed anything");
    }
}
