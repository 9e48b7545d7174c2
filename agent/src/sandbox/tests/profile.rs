//! The profile as a whole, word for word, and what bends it.

use super::spec;
use crate::sandbox::{SandboxError, SandboxTerms, profile};
use bollard::models::ContainerCreateBody;
use proptest::prelude::*;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::{LeaseId, RigId};
use sublet_protocol::job::{CheckpointPlan, JobSpec};
use sublet_protocol::offer::{HostLimits, SandboxFacts};

const GIB: u64 = 1 << 30;

fn job() -> JobSpec {
    let image = format!("registry.example/tracer@sha256:{}", "9f".repeat(32));
    JobSpec {
        memory_bytes: 2 * GIB,
        pids: 256,
        ..spec(image.parse().unwrap(), &["--width", "640"])
    }
}

/// Reads, writes, and keeps its place.
fn with_files() -> JobSpec {
    JobSpec {
        inputs: [("/in/scene".to_owned(), BlobId::of(b"scene"))].into(),
        checkpoint: Some(CheckpointPlan {
            folder: "/keep".into(),
            interval_ms: 60_000,
        }),
        ..job()
    }
}

fn terms() -> SandboxTerms {
    SandboxTerms {
        rig: RigId::new("rig-1").unwrap(),
        lease: LeaseId::new("lease-1").unwrap(),
        gpus: Vec::new(),
        limits: HostLimits {
            cpu_milli: 4000,
            memory_bytes: 8 * GIB,
            output_bytes: 4 * GIB,
        },
        facts: SandboxFacts {
            engine: "docker 20.10.24".into(),
            seccomp: true,
            nvidia: true,
            ..SandboxFacts::default()
        },
    }
}

fn text(body: &ContainerCreateBody) -> String {
    // By way of a value, whose maps are sorted.
    let mut value = serde_json::to_value(body).unwrap();
    // The filter has a snapshot of its own.
    value["HostConfig"]["SecurityOpt"][1] = "seccomp=(below)".into();
    serde_json::to_string_pretty(&value).unwrap()
}

fn made(spec: &JobSpec, terms: &SandboxTerms) -> ContainerCreateBody {
    profile(spec, terms, &[]).unwrap()
}

#[track_caller]
fn refused(spec: &JobSpec, terms: &SandboxTerms, volumes: &[&str], word: &str) {
    let volumes: Vec<String> = volumes.iter().map(|v| (*v).to_owned()).collect();
    let error = profile(spec, terms, &volumes).unwrap_err();
    assert!(matches!(error, SandboxError::NotAccepted { .. }), "{error}");
    assert!(error.to_string().contains(word), "{error}");
}

#[test]
fn the_profile_is_what_was_reviewed() {
    insta::assert_snapshot!(
        "software",
        text(&profile(&job(), &terms(), &["/data/".into()]).unwrap())
    );
    let mut gpu = terms();
    gpu.gpus = vec![
        "GPU-11111111-2222-3333-4444-555555555555".into(),
        "GPU-66666666-7777-8888-9999-000000000000".into(),
    ];
    let mut bare = job();
    bare.outputs.clear();
    bare.command = None;
    insta::assert_snapshot!("two_gpus", text(&made(&bare, &gpu)));
    insta::assert_snapshot!("with_files", text(&made(&with_files(), &terms())));
    let options = made(&job(), &terms())
        .host_config
        .unwrap()
        .security_opt
        .unwrap();
    let filter: serde_json::Value =
        serde_json::from_str(options[1].strip_prefix("seccomp=").unwrap()).unwrap();
    insta::assert_snapshot!("filter", serde_json::to_string_pretty(&filter).unwrap());
}

#[test]
fn a_job_gets_what_it_asks_and_no_more_than_the_owner_gives() {
    let host = |spec: &JobSpec, terms: &SandboxTerms| made(spec, terms).host_config.unwrap();
    let modest = host(&job(), &terms());
    assert_eq!(modest.memory, Some(2 << 30));
    assert_eq!(modest.nano_cpus, Some(1_000_000_000));
    assert_eq!(modest.pids_limit, Some(256));

    let mut greedy = job();
    greedy.memory_bytes = u64::MAX;
    greedy.cpu_milli = u32::MAX;
    greedy.pids = u32::MAX;
    let held = host(&greedy, &terms());
    assert_eq!(held.memory, Some(8 << 30));
    assert_eq!(held.memory_swap, held.memory);
    assert_eq!(held.nano_cpus, Some(4_000_000_000));
    assert_eq!(held.pids_limit, Some(4096));
}

#[test]
fn without_a_filter_nothing_runs() {
    let mut bare = terms();
    bare.facts.seccomp = false;
    refused(&job(), &bare, &[], "seccomp");
}

#[test]
fn an_owner_who_gives_nothing_gets_no_job() {
    let mut none = terms();
    none.limits.memory_bytes = 1 << 20;
    refused(&job(), &none, &[], "too little");
    let mut none = terms();
    none.limits.cpu_milli = 0;
    refused(&job(), &none, &[], "too little");
}

#[test]
fn gpus_are_named_or_not_given() {
    let mut all = terms();
    all.gpus = vec!["all".into()];
    refused(&job(), &all, &[], "not the UUID");
    all.gpus = vec!["GPU-1".into()];
    all.facts.nvidia = false;
    let error = profile(&job(), &all, &[]).unwrap_err();
    assert!(
        matches!(error, SandboxError::DeviceUnavailable { .. }),
        "{error}"
    );
}

#[test]
fn what_no_parser_would_pass_is_refused_here_too() {
    for name in ["NVIDIA_VISIBLE_DEVICES", "LD_PRELOAD", "A=B", "", "A B"] {
        let mut sly = job();
        sly.environment.insert(name.into(), "all".into());
        refused(&sly, &terms(), &[], name);
    }
    for output in [
        "/a",
        "/etc/passwd",
        "/proc/self/mem",
        "/out/../a",
        "out/a",
        "/out//a",
        "/tmp/a",
        "",
    ] {
        let mut sly = job();
        sly.outputs = vec![output.into()];
        if sly.output_folder().is_some() {
            refused(&sly, &terms(), &[], "output");
        }
    }
    for input in [
        "/a",
        "/etc/a",
        "/in/../a",
        "in/a",
        "/tmp/a",
        "",
        "/out/b",
        "/out/in/b",
        "/keep/b",
    ] {
        let mut sly = with_files();
        sly.inputs = [(input.to_owned(), BlobId::of(b""))].into();
        refused(&sly, &terms(), &[], "input");
    }
    for folder in [
        "",
        "/",
        "keep",
        "/etc",
        "/tmp/keep",
        "/a/../b",
        "/out",
        "/in/keep",
    ] {
        let mut sly = with_files();
        sly.checkpoint.as_mut().unwrap().folder = folder.into();
        refused(&sly, &terms(), &[], "checkpoint");
    }
    let mut apart = job();
    apart.outputs.push("/elsewhere/b".into());
    refused(&apart, &terms(), &[], "/elsewhere/b");
    for volume in ["/", "..", "/a/../..", "/a,b"] {
        refused(&job(), &terms(), &[volume], "declares the volume");
    }
    refused(&job(), &terms(), &["/v"; 17], "17 volumes");
}

proptest! {
    #[test]
    fn no_wish_of_a_renter_weakens_the_profile(
        memory in any::<u64>(),
        cpu in any::<u32>(),
        pids in any::<u32>(),
        command in proptest::option::of(proptest::collection::vec(".{0,20}", 0..4)),
        environment in proptest::collection::btree_map("[A-Z_]{1,12}", ".{0,20}", 0..4),
        outputs in proptest::collection::vec("/[a-z./]{0,20}", 0..3),
        inputs in proptest::collection::vec("/[a-z./]{0,20}", 0..3),
        folder in proptest::option::of("[a-z./]{0,20}"),
        volumes in proptest::collection::vec("[a-z./]{0,20}", 0..3),
    ) {
        let mut spec = job();
        spec.memory_bytes = memory;
        spec.cpu_milli = cpu;
        spec.pids = pids;
        spec.command = command;
        spec.environment = environment;
        spec.outputs = outputs;
        spec.inputs = inputs.into_iter().map(|path| (path, BlobId::of(b""))).collect();
        spec.checkpoint = folder.map(|folder| CheckpointPlan { folder, interval_ms: 1 });
        let Ok(body) = profile(&spec, &terms(), &volumes) else { return Ok(()) };
        prop_assert_eq!(body.user.as_deref(), Some("65534:65534"));
        let host = body.host_config.unwrap();
        prop_assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        prop_assert_eq!(host.cap_add, None);
        let options = host.security_opt.unwrap();
        prop_assert_eq!(&options[0], "no-new-privileges:true");
        prop_assert!(options[1].starts_with("seccomp="));
        prop_assert_eq!(options.len(), 2);
        prop_assert_eq!(host.privileged, Some(false));
        prop_assert_eq!(host.readonly_rootfs, Some(true));
        prop_assert_eq!(host.network_mode.as_deref(), Some("none"));
        prop_assert_eq!((host.binds, host.devices, host.device_requests), (None, None, None));
        prop_assert_eq!((host.userns_mode, host.pid_mode, host.uts_mode), (None, None, None));
        prop_assert!(host.memory.unwrap() <= 8 << 30);
        prop_assert!(host.nano_cpus.unwrap() <= 4_000_000_000);
        prop_assert!((4..=4096).contains(&host.pids_limit.unwrap()));
        for mount in host.mounts.unwrap_or_default() {
            prop_assert_eq!(mount.typ, Some(bollard::models::MountType::VOLUME));
            let source = mount.source.unwrap();
            let ours = ["out", "in", "checkpoint"].map(|what| format!("sublet-lease-1-{what}"));
            prop_assert!(ours.contains(&source), "{source}");
            prop_assert_eq!(mount.read_only, Some(source == ours[1]));
        }
    }
}
