//! Holds docs/protocol.md to the code: each example reads as the type it is named after and comes out unchanged,
//! each signature verifies with the keys that the page names, and each table agrees with the code it tells of.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

use alloy_primitives::keccak256;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use sublet_protocol::blob::UploadPosition;
use sublet_protocol::heartbeat::{Action, CommandBatch, Heartbeat, HeartbeatReply, LeaseReport};
use sublet_protocol::job;
use sublet_protocol::keys::{RigKey, rig_id};
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::offer::Offer;
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::renter::{AccountView, JobView, LogAppend, LogChunk, LogPosition, Submitted};
use sublet_protocol::session::{Challenge, ChallengeRequest, Session, SessionRequest};

const PAGE: &str = include_str!("../../docs/protocol.md");

/// The text of the block that is fenced with this language and name.
fn block(language: &str, name: &str) -> &'static str {
    let fence = format!("```{language} {name}\n");
    let (_, rest) = PAGE
        .split_once(&fence)
        .unwrap_or_else(|| panic!("docs/protocol.md has no block `{language} {name}`"));
    rest.split_once("```").unwrap().0
}

fn example<T: DeserializeOwned + Serialize>(name: &str) -> T {
    let text = block("json", name);
    let written: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
    let read: T = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), written, "{name}");
    read
}

/// The rows of the table whose head begins so, as cells.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = PAGE
        .split_once(head)
        .unwrap_or_else(|| panic!("docs/protocol.md has no table `{head}`"));
    rest.lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn named<T: DeserializeOwned>(cell: &str) -> T {
    let word = cell.trim_matches('`');
    serde_json::from_value(Value::from(word)).unwrap_or_else(|e| panic!("{word}: {e}"))
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

#[test]
fn every_example_is_what_it_is_named_after() {
    example::<ChallengeRequest>("ChallengeRequest");
    example::<Offer>("Offer");
    example::<LogAppend>("LogAppend");
    example::<LogPosition>("LogPosition");
    example::<LogChunk>("LogChunk");
    example::<UploadPosition>("UploadPosition");
    example::<Submitted>("Submitted");
    example::<JobView>("JobView");
    example::<AccountView>("AccountView");
    let problem: Problem = example("Problem");
    assert_eq!(problem.status, problem.code.status());
    // One example for each block, so none goes unread.
    let blocks = PAGE.lines().filter(|l| l.starts_with("```json ")).count();
    assert_eq!(blocks, 18);
}

#[test]
fn the_session_s_signature_and_checks_hold() {
    let challenge: Challenge = example("Challenge");
    let answer: SessionRequest = example("SessionRequest");
    let session: Session = example("Session");
    assert_eq!(answer.rig_key, RigKey::of(&key()));
    assert_eq!(answer.challenge, challenge.challenge);
    assert_eq!(answer.verify(&challenge.audience), Ok(()));
    assert_eq!(session.audience, challenge.audience);
    assert_eq!(session.rig, rig_id(&answer.rig_key));
    assert_eq!(session.channel.check(&answer.rig_key), Ok(()));
}

#[test]
fn the_usage_is_signed_over_the_bytes_that_the_page_shows() {
    let session: Session = example("Session");
    let beat: Heartbeat = example("Heartbeat");
    let last: LeaseReport = example("LeaseReport");
    let rig_key = RigKey::of(&key());
    for report in beat.leases.iter().chain([&last]) {
        let verdict = report
            .usage
            .verify(&rig_key, &session.audience, &session.rig, &report.lease);
        assert_eq!(verdict, Ok(()));
    }
    let report = &beat.leases[0];
    let mut message = b"sublet/usage/v1\0".to_vec();
    for part in [
        session.audience.as_bytes(),
        session.rig.as_str().as_bytes(),
        report.lease.as_str().as_bytes(),
        &report.usage.used_ms.to_be_bytes(),
    ] {
        message.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        message.extend(part);
    }
    let shown: String = block("hex", "usage_message").split_whitespace().collect();
    assert_eq!(hex::encode(&message), shown);
    let signature = ed25519_dalek::Signer::sign(&key(), &message);
    assert_eq!(
        String::from(report.usage.signature),
        hex::encode(signature.to_bytes())
    );
}

/// The page's own recipe, step by step, without the library that the code uses for it.
#[test]
fn a_voucher_verifies_by_hand() {
    let session: Session = example("Session");
    let reply: HeartbeatReply = example("HeartbeatReply");
    let statement = reply.statement.unwrap();
    let (voucher, channel) = (&statement.voucher, &session.channel);
    assert_eq!(channel.verify(voucher, MicroUsd::ZERO), Ok(()));
    let sum: MicroUsd = statement.lines.iter().map(|line| line.net).sum();
    assert_eq!(sum, voucher.amount);

    let bytes = |text: &str| hex::decode(text.strip_prefix("0x").unwrap()).unwrap();
    let word = |n: u128| [[0; 16], n.to_be_bytes()].concat();
    let hash = |parts: &[&[u8]]| keccak256(parts.concat()).to_vec();
    let id = hash(&[
        b"sublet/channel/v1",
        &bytes(&channel.payer),
        RigKey::of(&key()).as_bytes(),
    ]);
    assert_eq!(id, bytes(&channel.id));
    let domain = &channel.domain;
    let separator = hash(&[
        &hash(&[
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
        ]),
        &hash(&[domain.name.as_bytes()]),
        &hash(&[domain.version.as_bytes()]),
        &word(domain.chain_id.into()),
        &[0; 12],
        &bytes(&domain.contract),
    ]);
    let structure = hash(&[
        &hash(&[b"Voucher(bytes32 channelId,uint128 maxClaimableAmount)"]),
        &id,
        &word(voucher.amount.0.into()),
    ]);
    let digest = hash(&[&[0x19, 0x01], &separator, &structure]);
    let shown: Value = serde_json::from_str(block("json", "voucher_steps")).unwrap();
    for (name, step) in [
        ("domainSeparator", &separator),
        ("structHash", &structure),
        ("digest", &digest),
    ] {
        assert_eq!(shown[name], format!("0x{}", hex::encode(step)), "{name}");
    }

    let payer = k256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let (signature, recovery) = payer.sign_prehash_recoverable(&digest);
    let mut signed = signature.to_bytes().to_vec();
    signed.push(27 + recovery.to_byte());
    assert_eq!(voucher.signature, format!("0x{}", hex::encode(signed)));
    let point = payer.verifying_key().to_sec1_point(false);
    let address = &hash(&[&point.as_bytes()[1..]])[12..];
    assert_eq!(channel.payer, format!("0x{}", hex::encode(address)));
}

#[test]
fn the_lines_of_the_example_follow_from_its_grant() {
    let reply: HeartbeatReply = example("HeartbeatReply");
    let batch: CommandBatch = example("CommandBatch");
    let Action::Grant { grant } = &batch.commands[0].action else {
        panic!("the page shows a grant");
    };
    let line = &reply.statement.as_ref().unwrap().lines[0];
    assert_eq!(line.lease, grant.lease);
    let gross = grant.price.cost(line.paid_ms);
    let fee = grant.fee.fee(gross);
    assert_eq!((line.gross, line.fee), (gross, fee));
    assert_eq!(line.net, grant.fee.net(gross));
    // Two minutes ahead of the used time are covered, to the whole micro-USD.
    let covered = |used_ms: u64| {
        grant
            .price
            .affordable_ms(grant.price.cost(used_ms + 120_000))
    };
    assert_eq!(grant.funded_ms, covered(0));
    assert_eq!(reply.funding[0].funded_ms, covered(line.paid_ms));
    let spec = job::parse(block("yaml", "spec")).unwrap();
    assert_eq!(grant.spec, spec, "the grant carries the spec of the page");
}

#[test]
fn the_tables_agree_with_the_code() {
    let states: BTreeSet<_> = table("| state | set by |")
        .iter()
        .map(|row| named::<LeaseState>(row[0]).name())
        .collect();
    assert_eq!(states.len(), 14);

    let endings = table("| ending `code` |");
    for row in &endings {
        let code: EndCode = named(row[0]);
        assert_eq!(code.may_retry(), row[2] == "yes", "{code:?}");
    }
    assert_eq!(endings.len(), 20);

    let codes = table("| `code` | status |");
    for row in &codes {
        let code: ProblemCode = named(row[0]);
        assert_eq!(row[0].trim_matches('`'), code.code(), "unknown code");
        assert_eq!(row[1], code.status().to_string(), "{code:?}");
        assert_eq!(row[2], code.title());
    }
    assert_eq!(codes.len(), ProblemCode::ALL.len());
}
