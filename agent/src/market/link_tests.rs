//! The link's story: against a marketplace in memory with the clock held still, and once over real HTTP.

use super::fake::Fake;
use super::in_memory::{InMemory, Story, away, begin, command, key, outbound, refused, stand};
use super::{HttpMarket, Known, Link, LinkEvent, MarketError};
use std::sync::Arc;
use std::time::Duration;
use sublet_protocol::keys::RigKey;
use sublet_protocol::lease::LeaseState;
use sublet_protocol::problem::ProblemCode;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

#[tokio::test(start_paused = true)]
async fn heartbeats_come_at_the_pace_that_replies_dictate() {
    let mut story = begin(InMemory::default());
    assert_eq!(story.opened().await, 1);
    for _ in 0..5 {
        assert_eq!(story.answered().await, 1);
    }
    let seen = story.market.seen();
    assert_eq!(seen.offers.len(), 1, "an offer is sent once");
    for (at, pair) in seen.beats.windows(2).enumerate() {
        assert_eq!(pair[1].1.seq, pair[0].1.seq + 1);
        let apart = (pair[1].0 - pair[0].0).as_millis();
        assert!((9_000..=11_001).contains(&apart), "{at}: {apart} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn what_matters_is_told_at_once_and_what_always_moves_waits() {
    let mut story = begin(InMemory::default());
    story.answered().await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let changed = Instant::now();
    story.says.send_modify(|o| {
        o.snapshot = 2;
        o.leases = vec![stand(LeaseState::Accepted, 0)];
    });
    assert_eq!(story.answered().await, 2);
    assert!(changed.elapsed() < Duration::from_millis(5));

    // A burst within the gap becomes one heartbeat with the newest snapshot.
    for (snapshot, state) in [(3, LeaseState::Pulling), (4, LeaseState::Starting)] {
        story.says.send_modify(|o| {
            o.snapshot = snapshot;
            o.leases = vec![stand(state, 0)];
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(story.answered().await, 4);
    let gap = changed.elapsed();
    assert!(
        (100..110).contains(&gap.as_millis()),
        "100 ms apart, {gap:?}"
    );

    // A meter that runs on waits for the regular heartbeat, and is signed in it.
    story.says.send_modify(|o| {
        o.snapshot = 5;
        o.leases = vec![stand(LeaseState::Starting, 777)];
    });
    let moved = Instant::now();
    assert_eq!(story.answered().await, 5);
    assert!(moved.elapsed() > Duration::from_secs(8));
    let seen = story.market.seen();
    let report = &seen.beats.last().unwrap().1.leases[0];
    let rig_key = RigKey::of(&key());
    let rig = sublet_protocol::keys::rig_id(&rig_key);
    assert_eq!(report.usage.used_ms, 777);
    assert!(
        report
            .usage
            .verify(&rig_key, "fake", &rig, &report.lease)
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn a_settled_lease_that_is_named_no_more_is_no_news() {
    let mut story = begin(InMemory::default());
    story
        .says
        .send_modify(|o| o.leases = vec![stand(LeaseState::Finished, 5)]);
    story.answered().await;
    let settled = Instant::now();
    story.says.send_modify(|o| o.leases.clear());
    story.answered().await;
    assert!(settled.elapsed() > Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn another_offer_is_sent_with_the_change() {
    let mut story = begin(InMemory::default());
    story.answered().await;
    story.says.send_modify(|o| {
        o.snapshot = 2;
        o.limits.cpu_milli = 500;
    });
    assert_eq!(story.answered().await, 2);
    story.answered().await;
    let seen = story.market.seen();
    let offered: Vec<_> = seen.offers.iter().map(|o| o.limits.cpu_milli).collect();
    assert_eq!(offered, [1000, 500]);
}

#[tokio::test(start_paused = true)]
async fn a_void_session_is_followed_by_a_new_one_with_everything_said_again() {
    for code in [
        ProblemCode::StaleEpoch,
        ProblemCode::Unauthorized,
        ProblemCode::StaleSeq,
    ] {
        let mut story = begin(InMemory::default());
        for _ in 0..5 {
            story.answered().await;
        }
        story.market.seen().beat_errors.push_back(refused(code));
        let failed = Instant::now();
        assert_eq!(story.opened().await, 2, "{code:?}");
        assert!(failed.elapsed() < Duration::from_secs(12), "at once");
        assert_eq!(story.link.session().borrow().as_ref().unwrap().epoch, 2);
        story.answered().await;
        story.answered().await;
        let seen = story.market.seen();
        let last = &seen.beats.last().unwrap().1;
        assert_eq!((last.epoch, last.seq), (2, 2), "{code:?}");
        assert_eq!(seen.offers.last().unwrap().epoch, 2);
        assert_eq!(seen.offers.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn two_agents_with_one_key_do_not_fight_as_fast_as_they_can() {
    let mut story = begin(InMemory::default());
    for _ in 0..20 {
        let error = refused(ProblemCode::StaleEpoch);
        story.market.seen().beat_errors.push_back(error);
    }
    while story.market.seen().opened.len() < 8 {
        story.event().await;
    }
    let seen = story.market.seen();
    let apart = |n: usize| (seen.opened[n + 1] - seen.opened[n]).as_millis();
    assert!((800..=1_001).contains(&apart(0)), "{}", apart(0));
    // A quarter of the silence after which jobs are stopped.
    assert!((12_000..=15_001).contains(&apart(6)), "{}", apart(6));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_followed_by_a_newer_heartbeat_in_the_same_session() {
    let mut story = begin(InMemory::default());
    story.answered().await;
    let good = Instant::now();
    for _ in 0..3 {
        story.market.seen().beat_errors.push_back(away());
    }
    let mut lost = 0;
    loop {
        match story.event().await {
            LinkEvent::Lost { error, last_good } => {
                assert!(matches!(error, MarketError::Unreachable { .. }), "{error}");
                assert!(last_good.is_some_and(|at| at <= good));
                lost += 1;
            }
            LinkEvent::Answered { sent, epoch, .. } => {
                assert_eq!(epoch, 1, "the session lives on");
                assert!(sent > good);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(lost, 3);
    let seen = story.market.seen();
    let seqs: Vec<_> = seen.beats.iter().map(|(_, beat)| beat.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    // Tries after 1, 2 and 4 s, less a fifth at most.
    let apart = |n: usize| (seen.beats[n + 1].0 - seen.beats[n].0).as_millis();
    assert!((800..=1_001).contains(&apart(1)));
    assert!((1_600..=2_001).contains(&apart(2)));
    assert!((3_200..=4_001).contains(&apart(3)));
}

#[tokio::test(start_paused = true)]
async fn a_marketplace_that_is_away_at_first_is_found_when_it_comes() {
    let market = InMemory::default();
    for _ in 0..4 {
        market.seen().open_errors.push_back(away());
    }
    let begun = Instant::now();
    let mut story = begin(market);
    let LinkEvent::Lost { last_good, .. } = story.event().await else {
        panic!("a failed opening is told first");
    };
    assert_eq!(last_good, None);
    assert!(story.link.session().borrow().is_none());
    assert_eq!(story.opened().await, 1);
    let took = begun.elapsed().as_millis();
    assert!((12_000..=15_005).contains(&took), "1+2+4+8 s, {took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_command_comes_once_however_often_it_is_delivered() {
    let mut story = begin(InMemory::default());
    story.market.seen().in_replies = vec![command(1), command(2)];
    story.answered().await;
    story
        .market
        .commands
        .send_replace(vec![command(1), command(2), command(3)]);
    let mut ids = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let LinkEvent::Command(command) = story.event().await {
            ids.push(command.id);
        }
    }
    assert_eq!(ids, [1, 2, 3]);
    // A marketplace that repeats itself instead of waiting is asked once a second at most.
    let most = usize::try_from(begun.elapsed().as_secs()).unwrap() + 4;
    assert!(story.market.seen().polls <= most);
}

#[tokio::test(start_paused = true)]
async fn commands_of_an_earlier_life_are_not_repeated() {
    let market = Arc::new(InMemory::default());
    market.commands.send_replace(vec![command(7), command(8)]);
    let mut before = outbound();
    before.commands_seen = 7;
    let (_says, outbound) = watch::channel(before);
    let (events, mut hears) = mpsc::channel(64);
    let _link = Link::spawn(market, key(), Known::default(), outbound, events);
    loop {
        if let LinkEvent::Command(command) = hears.recv().await.unwrap() {
            assert_eq!(command.id, 8);
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_link_ends_with_its_daemon() {
    let Story {
        says,
        mut hears,
        link,
        ..
    } = begin(InMemory::default());
    assert!(hears.recv().await.is_some());
    drop(says);
    while hears.recv().await.is_some() {}
    drop(link);
}

#[tokio::test]
async fn over_real_http_a_marketplace_goes_and_comes_back() {
    let fake = Fake::start().await;
    let market = Arc::new(HttpMarket::new(&fake.url()).unwrap());
    let (_says, outbound) = watch::channel(outbound());
    let (events, mut hears) = mpsc::channel(64);
    let _link = Link::spawn(market, key(), Known::default(), outbound, events);
    let mut next = async || {
        timeout(Duration::from_secs(20), hears.recv())
            .await
            .expect("the link says something")
            .expect("the link is there")
    };
    while !matches!(next().await, LinkEvent::Answered { .. }) {}

    let (address, seen) = (fake.address, fake.seen.clone());
    drop(fake);
    // Connections that are open already die with the server's runtime only, so their token is made void too.
    seen.lock().unwrap().epoch += 1;
    while !matches!(next().await, LinkEvent::Lost { .. }) {}

    let _fake = Fake::start_at(address, seen.clone()).await;
    let epoch = loop {
        if let LinkEvent::SessionOpened { session, .. } = next().await {
            break session.epoch;
        }
    };
    assert_eq!(epoch, 3);
    seen.lock().unwrap().commands.push(command(1));
    loop {
        if let LinkEvent::Command(command) = next().await {
            assert_eq!(command.id, 1);
            break;
        }
    }
    // The offer follows the first answered heartbeat, so it is there before the second.
    for _ in 0..2 {
        while !matches!(next().await, LinkEvent::Answered { .. }) {}
    }
    assert_eq!(seen.lock().unwrap().offers.last().unwrap().epoch, 3);
}
