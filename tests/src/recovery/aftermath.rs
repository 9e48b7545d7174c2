//! What must be so once a story is over, whatever blow fell: nothing is left, nothing was done twice, and the books of
//! both sides are right to the micro-USD.

use super::scene::Scene;
use crate::containers;
use crate::program::{run, sublet_market};
use crate::simulated::card;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// How far the times of Docker's news may be from its account of a container, in ms.
const NEWS_LATE_MS: u64 = 700;

/// Waits until the rig is at rest.
#[track_caller]
pub fn at_rest(scene: &mut Scene) {
    let against = ["returning", "memory_held", "ledger_problem"];
    scene.until_status("a rig at rest", |status| {
        let reasons = card(status)["reasons"].as_array().unwrap();
        status["market"]["connected"] == true
            && status["leases"].as_array().unwrap().is_empty()
            && !reasons
                .iter()
                .any(|reason| against.iter().any(|code| reason["code"] == *code))
    });
    scene.until("the owner's power limit", |scene| {
        match scene.world.limit_mw() {
            None | Some(450_000) => Ok(()),
            limit => Err(format!("{limit:?}")),
        }
    });
}

/// Looks at everything.
#[track_caller]
pub fn all(scene: &mut Scene) {
    at_rest(scene);
    nothing_left_on_the_rig(scene);
    nothing_left_at_the_marketplace(scene);
    nothing_twice(scene);
    books(scene);
    logs(scene);
}

/// Looks at what takes long, and holds for all that happened in a scene: the wallet, reckoned anew.
#[track_caller]
pub fn in_the_end(scene: &mut Scene) {
    let doctor = scene.told("doctor");
    let checks = doctor["checks"].as_array().unwrap();
    let ledger = checks
        .iter()
        .find(|check| check["name"] == "Ledger")
        .unwrap();
    assert_eq!(ledger["verdict"], "good", "the wallet's books: {ledger}");
}

#[track_caller]
fn nothing_left_on_the_rig(scene: &mut Scene) {
    let rig = scene.rig.clone();
    scene.until("nothing left in Docker", |scene| {
        let host = scene.dockerd.as_ref().map(crate::dockerd::Dockerd::host);
        none(containers::left_of(&rig, host.as_deref()))
    });
    let jobs = scene.world.rig.data.join("jobs");
    scene.until("nothing left in the agent's folder", |_| {
        // What a job printed is kept.
        none(
            files(&jobs)
                .into_iter()
                .filter(|file| !file.ends_with("/log"))
                .collect(),
        )
    });
    let leases: Vec<String> = leases(scene).into_iter().map(|lease| lease.id).collect();
    for rules in ["iptables-save", "ip6tables-save"] {
        let text = run(&mut Command::new(rules)).out;
        let left: Vec<&str> = text
            .lines()
            .filter(|line| leases.iter().any(|lease| line.contains(lease.as_str())))
            .collect();
        assert!(left.is_empty(), "rules of leases that are over: {left:?}");
    }
}

#[track_caller]
fn nothing_left_at_the_marketplace(scene: &mut Scene) {
    let blobs = scene.market.data().join("blobs");
    scene.until("no blob but what a lease made, and what is yet to be looked at", |scene| {
        let names = |file: &String| file.rsplit('/').next().unwrap_or_default().to_owned();
        // What has come of an upload that broke off waits for its rest, for a day.
        let whole = |file: &&String| !file.contains("/incoming/");
        let there: BTreeSet<String> = files(&blobs).iter().filter(whole).map(names).collect();
        let owned: BTreeSet<String> = ask(scene, "SELECT cid FROM lease_outputs o JOIN leases l ON l.id = o.lease JOIN blobs b USING (cid) UNION SELECT cid FROM stale_checkpoints JOIN blobs USING (cid, rig)")?
            .into_iter()
            .collect();
        let rows: BTreeSet<String> = ask(scene, "SELECT DISTINCT cid FROM blobs")?.into_iter().collect();
        let same = there == owned && rows == owned;
        if same { Ok(()) } else { Err(format!("files {there:?}, rows {rows:?}, outputs {owned:?}")) }
    });
    scene.until("no command that waits", |scene| {
        none(ask(scene, "SELECT body FROM commands")?)
    });
}

#[track_caller]
fn nothing_twice(scene: &mut Scene) {
    let none_of = |scene: &Scene, what: &str, query: &str| {
        let found = ask(scene, query).unwrap();
        assert!(found.is_empty(), "{what}: {found:?}");
    };
    none_of(
        scene,
        "settled twice",
        "SELECT lease FROM entries WHERE kind = 'release' GROUP BY lease HAVING count(*) > 1",
    );
    none_of(
        scene,
        "completed under two leases",
        "SELECT job FROM leases WHERE ending LIKE '%\"completed\"%' GROUP BY job HAVING count(*) > 1",
    );
    none_of(
        scene,
        "open though over",
        "SELECT id FROM leases WHERE closed = 0",
    );
    let ran = ran(scene);
    for lease in leases(scene) {
        let Some(ran) = ran.get(&lease.id) else {
            continue;
        };
        assert!(
            ran.starts <= 1,
            "lease {} ran {} times",
            lease.id,
            ran.starts
        );
        if let (Some(from), Some(to)) = (ran.from_ms, ran.to_ms) {
            let ms = to.saturating_sub(from);
            assert!(
                lease.used_ms <= ms + NEWS_LATE_MS,
                "lease {} ran {ms} ms, and {} were billed",
                lease.id,
                lease.used_ms
            );
            assert!(
                !lease.completed || lease.used_ms + NEWS_LATE_MS >= ms,
                "lease {} ran {ms} ms, and only {} were billed",
                lease.id,
                lease.used_ms
            );
        }
    }
}

#[track_caller]
fn books(scene: &mut Scene) {
    let said = run(Command::new(sublet_market())
        .args(["audit", "--data"])
        .arg(scene.market.data()));
    assert_eq!(said.code, 0, "the marketplace's books: {said:?}");
    let charged = scene.until("the marketplace's charges", |scene| {
        let jobs = scene.jobs()?;
        Ok(jobs
            .iter()
            .map(|job| job["charged"].as_u64().unwrap())
            .sum::<u64>())
    });
    let wallet = scene.until("a wallet of which all is proven", |scene| {
        let wallet = scene.owners(&["wallet", "--json"]);
        let wallet = if wallet.answered() {
            wallet.json()
        } else {
            return Err(wallet.err);
        };
        if wallet["unproven"] == 0 {
            Ok(wallet)
        } else {
            Err(wallet.to_string())
        }
    });
    let figure = |name: &str| wallet[name].as_u64().unwrap();
    let account = scene.market.account();
    assert_eq!(
        account["spent"], charged,
        "what the renter spent is what was charged"
    );
    assert_eq!(account["reserved"], 0, "nothing is set aside");
    let voucher = wallet["voucher"]["amount"].as_u64().unwrap_or_default();
    assert_eq!(
        figure("proven"),
        voucher,
        "what is proven is the voucher's amount"
    );
    if scene.lost_time {
        assert!(
            figure("gross") >= charged,
            "a rig is not paid more than it metered: {wallet}"
        );
    } else {
        assert_eq!(figure("written_off"), 0, "nothing is written off: {wallet}");
        assert_eq!(
            figure("gross"),
            charged,
            "what the rig metered is what was charged: {wallet}"
        );
        assert_eq!(
            figure("net"),
            voucher,
            "what the rig earned is what was promised: {wallet}"
        );
    }
}

/// What a job printed is with its renter, once, whoever died meanwhile.
#[track_caller]
fn logs(scene: &mut Scene) {
    let jobs = scene.until("the jobs", |scene| scene.jobs());
    for job in jobs.iter().filter(|job| job["state"] == "completed") {
        let id = job["job"].as_str().unwrap();
        if !scene.known.insert(id.to_owned()) {
            continue;
        }
        scene.until("the whole log of a job that ended well", |scene| {
            let said = scene.renter(&["logs", id]);
            let last = said.out.matches("wrote /out/picture.png").count();
            if last == 1 {
                Ok(())
            } else {
                Err(format!("{said:?}"))
            }
        });
    }
}

/// A lease in the marketplace's books.
struct Row {
    id: String,
    used_ms: u64,
    completed: bool,
}

fn leases(scene: &Scene) -> Vec<Row> {
    let query = "SELECT id || ' ' || used_ms || ' ' || coalesce(ending LIKE '%\"completed\"%', 0) FROM leases";
    let rows = ask(scene, query).unwrap();
    let row = |text: &String| {
        let mut parts = text.split(' ');
        let mut next = || parts.next().unwrap().to_owned();
        Row {
            id: next(),
            used_ms: next().parse().unwrap(),
            completed: next() == "1",
        }
    };
    rows.iter().map(row).collect()
}

/// The first column of what the marketplace's database answers.
fn ask(scene: &Scene, query: &str) -> Result<Vec<String>, String> {
    let file = scene.market.data().join("market.sqlite");
    let read = || {
        let books = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        books.busy_timeout(std::time::Duration::from_secs(5))?;
        let mut statement = books.prepare(query)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(|error| error.to_string())
}

/// When a lease's container ran, by Docker's news.
#[derive(Default)]
struct Ran {
    starts: usize,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
}

fn ran(scene: &Scene) -> BTreeMap<String, Ran> {
    let mut ran: BTreeMap<String, Ran> = BTreeMap::new();
    for line in scene.events.said().lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(lease) = event["Actor"]["Attributes"]["sublet.lease"].as_str() else {
            continue;
        };
        let ms = event["timeNano"].as_u64().unwrap() / 1_000_000;
        let ran = ran.entry(lease.to_owned()).or_default();
        if event["Action"] == "start" {
            ran.starts += 1;
            ran.from_ms = Some(ms);
        } else {
            ran.to_ms = Some(ms);
        }
    }
    ran
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let each = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        Some(if path.is_dir() {
            files(&path)
        } else {
            vec![path.display().to_string()]
        })
    };
    entries.filter_map(each).flatten().collect()
}

fn none(left: Vec<String>) -> Result<(), String> {
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("{left:?}"))
    }
}
