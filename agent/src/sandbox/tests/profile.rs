//! The profile as a whole, word for word, and what bends it.

use super::spec;
use crate::sandbox::{SandboxError, SandboxTerms, profile};
use bollard::models::ContainerCreateBody;
use proptest::prelude::*;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::{LeaseId, RigId};
use sublet_protocol::job::{CheckpointPlan, Isolation, JobSpec};
use sublet_protocol::offer::{Enforced, HostLimits, Part, SandboxFacts};

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
            disk_bytes: None,
            longest_ms: None,
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

/// A host as most are, measured.
fn plain_host() -> Enforced {
    Enforced {
        seccomp: true,
        no_new_privileges: true,
        no_capabilities: true,
        no_network: true,
        read_only_root: true,
        memory: true,
        pids: true,
        cpu: true,
        apparmor: Some("docker-default".into()),
        cgroup_version: 2,
        nvidia: Part::Works,
        ..Enforced::default()
    }
}

const CARD: &str = "GPU-11111111-2222-3333-4444-555555555555";

/// What differs between two profiles, as `path: before -> after`.
fn differences(before: &ContainerCreateBody, after: &ContainerCreateBody) -> Vec<String> {
    fn flat(path: &str, value: &serde_json::Value, into: &mut Vec<(String, String)>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, field) in fields {
                    flat(&format!("{path}/{name}"), field, into);
                }
            }
            serde_json::Value::Array(items) => {
                for item in items {
                    flat(&format!("{path}[]"), item, into);
                }
            }
            other => into.push((path.to_owned(), other.to_string())),
        }
    }
    let lines = |body: &ContainerCreateBody| {
        let value: serde_json::Value = serde_json::from_str(&text(body)).unwrap();
        let mut lines = Vec::new();
        flat("", &value, &mut lines);
        lines
    };
    let (before, after) = (lines(before), lines(after));
    let gone = before.iter().filter(|line| !after.contains(line));
    let come = after.iter().filter(|line| !before.contains(line));
    gone.map(|(path, value)| format!("- {path}: {value}"))
        .chain(come.map(|(path, value)| format!("+ {path}: {value}")))
        .collect()
}

#[test]
fn the_profile_on_each_kind_of_host_is_what_was_reviewed() {
    type Change = fn(&mut Enforced);
    let hosts: [(&str, Change); 8] = [
        ("no AppArmor", |host| host.apparmor = None),
        ("userns-remap", |host| host.userns = true),
        ("control groups of version 1", |host| {
            host.cgroup_version = 1
        }),
        ("quota for volumes", |host| host.volume_quota = true),
        ("quota for layers alone", |host| host.layer_quota = true),
        ("gVisor", |host| host.gvisor = Part::Works),
        ("gVisor that does not work", |host| {
            host.gvisor = Part::Broken {
                why: "it stopped".into(),
            }
        }),
        ("CDI", |host| host.cdi = vec![CARD.into()]),
    ];
    let on = |found: Enforced, gpus: &[&str]| {
        let mut terms = terms();
        terms.facts.enforced = Some(found);
        terms.gpus = gpus.iter().map(|gpu| (*gpu).to_owned()).collect();
        made(&job(), &terms)
    };
    let mut page = Vec::new();
    for (work, gpus) in [("no GPU", vec![]), ("a leased GPU", vec![CARD])] {
        let plain = on(plain_host(), &gpus);
        if gpus.is_empty() {
            page.push(format!(
                "a plain host, {work}, against one that was not measured:"
            ));
            page.extend(differences(&made(&job(), &terms()), &plain));
        } else {
            page.push(format!("a plain host, {work}, against no GPU:"));
            page.extend(differences(&on(plain_host(), &[]), &plain));
        }
        for (name, change) in hosts {
            let mut host = plain_host();
            change(&mut host);
            page.push(format!("\n{name}, {work}:"));
            page.extend(differences(&plain, &on(host, &gpus)));
        }
        page.push(String::new());
    }
    insta::assert_snapshot!("hosts", page.join("\n"));
}

#[test]
fn what_the_host_has_not_is_refused_by_name() {
    let mut leaky = terms();
    leaky.facts.enforced = Some(Enforced {
        gaps: vec!["memory is not limited".into()],
        ..plain_host()
    });
    refused(&job(), &leaky, &[], "memory is not limited");

    let mut apart = job();
    apart.isolation = Isolation::Gvisor;
    let missing = |terms: &SandboxTerms| {
        let error = profile(&apart, terms, &[]).unwrap_err();
        assert_eq!(
            error.end_code(),
            sublet_protocol::lease::EndCode::IsolationMissing,
            "{error}"
        );
    };
    missing(&terms());
    let mut host = terms();
    host.facts.enforced = Some(plain_host());
    missing(&host);
    host.facts.enforced = Some(Enforced {
        gvisor: Part::Works,
        ..plain_host()
    });
    let runtime = made(&apart, &host).host_config.unwrap().runtime;
    assert_eq!(runtime.as_deref(), Some("runsc"));
    host.gpus = vec![CARD.into()];
    missing(&host);

    // A GPU that CDI does not name is asked of the runtime, and where that does not work of nobody.
    let mut other = terms();
    other.gpus = vec![CARD.into()];
    other.facts.enforced = Some(Enforced {
        cdi: vec!["GPU-another".into()],
        nvidia: Part::Broken {
            why: "no hook".into(),
        },
        ..plain_host()
    });
    let error = profile(&job(), &other, &[]).unwrap_err();
    assert!(
        matches!(&error, SandboxError::DeviceUnavailable { why } if why == "no hook"),
        "{error}"
    );
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
    for name in [
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_DRIVER_CAPABILITIES",
        "CUDA_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
        "LD_PRELOAD",
        "A=B",
        "",
        "A B",
    ] {
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
