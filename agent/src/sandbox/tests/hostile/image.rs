//! Images that are the attack themselves.

use super::super::registry::Layer;
use super::super::stage::Stage;
use crate::sandbox::{DiskLimits, SandboxError};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::time::{Duration, Instant};

fn limits() -> DiskLimits {
    DiskLimits {
        reserve_bytes: 1 << 30,
        ..DiskLimits::default()
    }
}

async fn refused(stage: &Stage, layers: Vec<Layer>, limits: DiskLimits) -> String {
    let image = stage.push_layers(layers, json!({})).image;
    let sandbox = stage.sandbox.clone().with_disk_limits(limits);
    let pull = sandbox.pull(&image, |_, _| {});
    let pulled = tokio::time::timeout(Duration::from_secs(60), pull).await;
    match pulled.expect("the pull ends within a minute") {
        Err(SandboxError::NotAccepted { why }) => {
            assert!(
                sandbox.image_volumes(&image).await.unwrap().is_none(),
                "it is not here"
            );
            why
        }
        other => panic!("{other:?}"),
    }
}

/// A layer of one small file, like no other.
fn small(number: usize, stage: &Stage) -> Layer {
    let text = format!("{number} of {}", stage.rig);
    Layer::of_program(&format!("file-{number}"), text.as_bytes(), 0o644)
}

#[tokio::test]
async fn a_thousand_layers_are_counted_and_not_fetched() {
    super::table::named("image-layers");
    let stage = Stage::set().await;
    let layers: Vec<Layer> = (0..1000).map(|n| small(n, &stage)).collect();
    let why = refused(&stage, layers, limits()).await;
    assert!(why.contains("layers"), "{why}");
    // Docker begins with a few at once, before it can be told to stop.
    assert!(
        stage.registry.asked() < 20,
        "{} were asked for",
        stage.registry.asked()
    );
}

#[tokio::test]
async fn as_many_layers_as_the_owner_allows_are_fetched() {
    let stage = Stage::set().await;
    let layers: Vec<Layer> = (0..4).map(|n| small(n, &stage)).collect();
    let image = stage.push_layers(layers, json!({})).image;
    stage.sandbox.pull(&image, |_, _| {}).await.unwrap();
}

#[tokio::test]
async fn an_image_that_is_too_large_to_fetch_is_refused_by_its_sum() {
    super::table::named("image-size");
    let stage = Stage::set().await;
    // No two bytes of it alike enough to be packed, and like no other test's.
    let noise = |n: u32| -> Vec<u8> {
        let seed = format!("{n} {}", stage.rig);
        (0..65_536_u32)
            .flat_map(|i| Sha256::digest(format!("{seed} {i}")))
            .collect()
    };
    let layers = || (0..3).map(|n| Layer::of_program(&format!("noise-{n}"), &noise(n), 0o644));
    let tight = DiskLimits {
        image_packed_bytes: 3 << 20,
        ..limits()
    };
    let why = refused(&stage, layers().collect(), tight).await;
    assert!(why.contains("to fetch"), "{why}");
    // Told by what it takes once it is here, where that is what the owner bounds.
    let tight = DiskLimits {
        image_bytes: 1 << 20,
        ..limits()
    };
    let why = refused(&stage, layers().collect(), tight).await;
    assert!(why.contains("takes"), "{why}");
    // And within bounds it is fetched, so that the refusals above mean something.
    let image = stage.push_layers(layers().collect(), json!({})).image;
    stage.sandbox.pull(&image, |_, _| {}).await.unwrap();
}

/// A layer of many packed pieces: their packed form is kept, and the digest of what they unpack to is reckoned along.
struct Packed {
    bytes: Vec<u8>,
    hash: Sha256,
}

impl Packed {
    fn new() -> Packed {
        Packed {
            bytes: Vec::new(),
            hash: Sha256::new(),
        }
    }

    /// The same piece so many times. Each is packed for itself, as the format allows.
    fn add(&mut self, piece: &[u8], times: u64) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(piece).unwrap();
        let packed = packed.finish().unwrap();
        for _ in 0..times {
            self.bytes.extend_from_slice(&packed);
            // Of a true bomb nobody waits for the end, so its digest need not be right.
            if times == 1 {
                self.hash.update(piece);
            }
        }
    }

    fn layer(self) -> Layer {
        Layer {
            bytes: self.bytes,
            unpacked: format!("sha256:{}", hex::encode(self.hash.finalize())),
            program: "bomb".into(),
        }
    }
}

fn entry(name: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[tokio::test]
async fn a_layer_that_unpacks_to_twenty_gigabytes_is_stopped() {
    super::table::named("image-bomb");
    const PIECE: u64 = 16 << 20;
    const ALL: u64 = 20 << 30;
    let stage = Stage::set().await;
    let mut bomb = Packed::new();
    bomb.add(&entry("bomb", ALL), 1);
    bomb.add(&vec![0; PIECE as usize], ALL / PIECE);
    let layer = bomb.layer();
    assert!(
        layer.bytes.len() < 30 << 20,
        "{} bytes are sent",
        layer.bytes.len()
    );
    let before = stage.sandbox.free().unwrap();
    let tight = DiskLimits {
        image_bytes: 1 << 30,
        ..limits()
    };
    let why = refused(&stage, vec![layer], tight).await;
    assert!(why.contains("takes"), "{why}");
    // Docker takes away what it had unpacked. Others write on this disk too, though not gigabytes.
    let begun = Instant::now();
    while stage.sandbox.free().unwrap().bytes + (1 << 30) < before.bytes {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "its bytes are still here"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_layer_of_countless_files_is_stopped() {
    super::table::named("image-files");
    let stage = Stage::set().await;
    let files = |count: u32| {
        let mut layer = Packed::new();
        let mut names = Vec::new();
        for number in 0..count {
            names.extend(entry(&format!("{}/{number}", stage.rig), 0));
        }
        names.extend([0; 1024]);
        layer.add(&names, 1);
        layer.layer()
    };
    let tight = DiskLimits {
        image_files: 5_000,
        ..limits()
    };
    let why = refused(&stage, vec![files(150_000)], tight).await;
    assert!(why.contains("files"), "{why}");
    let image = stage.push_layers(vec![files(6_000)], json!({})).image;
    stage.sandbox.pull(&image, |_, _| {}).await.unwrap();
}

#[tokio::test]
async fn the_image_that_was_not_used_for_longest_makes_room() {
    let stage = Stage::set().await;
    let old = stage.push().image;
    stage.sandbox.pull(&old, |_, _| {}).await.unwrap();
    // As if it had been pulled long ago.
    let hex = old.digest().trim_start_matches("sha256:").to_owned();
    let docker = &stage.sandbox.docker;
    let tag = bollard::query_parameters::TagImageOptionsBuilder::default()
        .repo("sublet-image")
        .tag(&format!("1000-{hex}"))
        .build();
    docker.tag_image(old.as_str(), Some(tag)).await.unwrap();
    let recent = stage.sandbox.kept_tags(&hex).await;
    for tag in recent.iter().filter(|tag| !tag.contains(":1000-")) {
        docker
            .remove_image(
                tag,
                None::<bollard::query_parameters::RemoveImageOptions>,
                None,
            )
            .await
            .unwrap();
    }
    let new = stage.push().image;
    let small = stage.sandbox.clone().with_disk_limits(DiskLimits {
        cache_bytes: 0,
        ..limits()
    });
    small.pull(&new, |_, _| {}).await.unwrap();
    assert!(
        small.image_volumes(&old).await.unwrap().is_none(),
        "the old one went"
    );
    assert!(small.image_volumes(&new).await.unwrap().is_some());
}

/// What an image asks for itself is tried in `hardening.rs`, by the test of this name.
#[test]
fn what_an_image_asks_for_is_tried_elsewhere() {
    super::table::named("image-settings");
    let tests = include_str!("../hardening.rs");
    assert!(tests.contains("async fn what_an_image_declares_lifts_nothing"));
}
