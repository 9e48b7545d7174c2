//! What a GPU did is remembered, whatever becomes of the agent.

use super::owner::{away, first_ending};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::Rig;
use sublet_tests::screen::Screen;
use sublet_tests::simulated::CARD;
use sublet_tests::wait::until;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn what_was_rented_and_why_it_ended_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut screen = Screen::start(folder.path());
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut world = away(folder.path(), &market, &screen);
    let set = ["settings", "set", "price.electricity", "0.40"];
    assert_eq!(world.rig.run(&set).code, 0);
    let job = world.run_endless(&market);
    // Long enough to be worth a figure.
    until("ten seconds of renting", SOON, || {
        let pieces = pieces(&world.rig);
        let renting = pieces.iter().find(|piece| piece["kind"] == "renting");
        match renting.filter(|piece| span(piece) >= 10_000) {
            Some(_) => Ok(()),
            None => Err(format!("{pieces:?}")),
        }
    });
    screen.touch();
    world.until_reason("owner_present");
    let lease = first_ending(&market, &job);
    assert_eq!(lease["ending"]["code"], "reclaimed", "{lease}");
    // It goes on once nobody touches anything; then the agent dies as in a power cut.
    market.until_lease(&job, &["running"], SOON);
    world.rig.kill_dead();
    world.rig.start();

    let after = pieces(&world.rig);
    whole(&after);
    let first = after
        .iter()
        .position(|piece| piece["kind"] == "renting" && piece["lease"].is_string())
        .unwrap_or_else(|| panic!("{after:?}"));
    assert!(span(&after[first]) >= 10_000, "{after:?}");
    let next = &after[first + 1..];
    let back = next
        .iter()
        .find(|piece| piece["kind"] == "in_use")
        .unwrap_or_else(|| panic!("{after:?}"));
    assert_eq!(back["reason"]["code"], "owner_present", "{back}");
    assert!(back["reason"]["text"].is_string());
    let gap = next.iter().find(|piece| piece["kind"] == "not_running");
    assert!(gap.is_some(), "the crash is a gap: {after:?}");

    // The readings came with it, and what they cost.
    let took = until("a measured minute", Duration::from_secs(90), || {
        let history = world.rig.json("history");
        let days = history["days"].as_array().unwrap();
        let took = days.last().map(|day| day["electricity"].clone());
        match took.filter(|took| took["rented_ms"].as_u64() > Some(0)) {
            Some(took) => Ok(took),
            None => Err(history.to_string()),
        }
    });
    assert_eq!(took["unmeasured_ms"], 0, "{took}");
    assert!(took["cost"].as_u64() > Some(0), "{took}");
    market.cancel(&job);
    let wallet = world.rig.until_settled();
    let history = world.rig.json("history");
    let days = history["days"].as_array().unwrap();
    let gross: u64 = days.iter().filter_map(|day| day["gross"].as_u64()).sum();
    assert_eq!(
        wallet["gross"], gross,
        "the timeline's money is the ledger's"
    );
    let all = wallet["periods"].as_array().unwrap().last().unwrap();
    assert_eq!(all["since"], "all");
    assert!(all["left"].as_i64() < all["net"].as_i64(), "{all}");

    looks_back_and_ahead(&world.rig);
}

/// The sensors' course, and what other settings would make of it.
fn looks_back_and_ahead(rig: &Rig) {
    let history = rig.json("history");
    let (from, to) = (&history["from_ms"], &history["to_ms"]);
    let path = format!("history/telemetry?gpu={CARD}&from_ms={from}&to_ms={to}&points=200");
    let course = call(&rig.data, "GET", &path, None);
    let watts = course["power_w"]["mean"].as_array().unwrap();
    assert_eq!(course["at_ms"].as_array().unwrap().len(), watts.len());
    assert!(watts.iter().any(|watts| *watts == json!(300.0)), "{course}");

    let asked = json!({"change": {"preset": "farm"}});
    let preview = call(&rig.data, "POST", "preview", Some(asked));
    assert_eq!(preview["basis"]["kind"], "example", "{preview}");
    assert_eq!(preview["basis"]["example"], "farm");
    assert_eq!(preview["price"]["from"], "seen");
    assert!(
        preview["after"]["net"]["high"].as_i64() > Some(0),
        "{preview}"
    );
    let refused = json!({"change": {"edits": [{"key": "heat.hot_c", "value": 10}]}});
    let refused = call(&rig.data, "POST", "preview", Some(refused));
    assert_eq!(refused["after"], Value::Null);
    assert!(!refused["faults"].as_array().unwrap().is_empty());

    let replayed = rig.run(&["simulate", "--recorded", "--json"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    assert!(replayed.json()["total"]["time_ms"].as_u64() > Some(0));
}

/// The card's timeline.
fn pieces(rig: &Rig) -> Vec<Value> {
    let history = rig.json("history");
    let gpus = history["gpus"].as_array().unwrap();
    let card = gpus.iter().find(|gpu| gpu["gpu"] == CARD);
    let card = card.unwrap_or_else(|| panic!("{history}"));
    card["segments"].as_array().unwrap().clone()
}

fn span(piece: &Value) -> u64 {
    piece["to_ms"].as_u64().unwrap() - piece["from_ms"].as_u64().unwrap()
}

/// In order, without gaps and without overlaps.
fn whole(pieces: &[Value]) {
    for pair in pieces.windows(2) {
        assert_eq!(pair[0]["to_ms"], pair[1]["from_ms"], "{pieces:?}");
        assert!(span(&pair[0]) > 0);
    }
}

/// A call of the local API, as the pages make it.
fn call(data: &Path, method: &str, path: &str, body: Option<Value>) -> Value {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let mut stream = UnixStream::connect(data.join("run/agent.sock")).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    write!(
        stream,
        "{method} /local/v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (_, json) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
