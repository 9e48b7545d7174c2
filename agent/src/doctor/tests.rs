use super::*;
use crate::sensors::presence::SourceState;
use sublet_protocol::offer::{Enforced, Part};

fn healthy() -> Observed {
    Observed {
        agent: Some("0.1.0".to_owned()),
        data: PathBuf::from("/home/ann/sublet"),
        folder: Folder::Writable,
        free: Ok(100 << 30),
        key_place: None,
        docker: Ok(SandboxFacts {
            engine: "docker 20.10.24".to_owned(),
            seccomp: true,
            nvidia: true,
            enforced: Some(Enforced {
                seccomp: true,
                cpu: true,
                userns: true,
                apparmor: Some("docker-default".to_owned()),
                nvidia: Part::Works,
                ..Enforced::default()
            }),
            ..SandboxFacts::default()
        }),
        nvidia_card: Some(true),
        nvidia_driver: Some("550.54".to_owned()),
        vulkan: Some(PathBuf::from("/usr/lib/libvulkan.so.1")),
        adapters: Ok(vec![AdapterSeen {
            name: "NVIDIA GeForce RTX 4090".to_owned(),
            software: false,
        }]),
        presence: vec![SourceView {
            name: "X11",
            state: SourceState::Works("Display :0: last input 3 s ago.".to_owned()),
            covers_desk: true,
            seat: Some(true),
        }],
    }
}

fn verdict(observed: &Observed, name: &str) -> Verdict {
    let checks = diagnose(observed).checks;
    let check = checks.iter().find(|check| check.name == name).unwrap();
    assert_eq!(
        check.remedy.is_none(),
        check.verdict == Verdict::Good,
        "a remedy stands exactly where something is to be done: {check:?}"
    );
    check.verdict
}

#[test]
fn a_healthy_machine_passes_every_check() {
    for check in diagnose(&healthy()).checks {
        assert_eq!(check.verdict, Verdict::Good, "{check:?}");
    }
}

#[test]
fn each_fault_is_found_and_has_a_remedy() {
    type Change = fn(&mut Observed);
    let faults: [(&str, Verdict, Change); 13] = [
        ("Presence", Verdict::Warning, |o| o.presence.clear()),
        ("Agent", Verdict::Warning, |o| o.agent = None),
        ("Data folder", Verdict::Good, |o| o.folder = Folder::NotYet),
        ("Data folder", Verdict::Bad, |o| {
            o.folder = Folder::Refused("read-only".to_owned())
        }),
        ("Disk", Verdict::Warning, |o| o.free = Ok(DISK_EASY - 1)),
        ("Disk", Verdict::Bad, |o| o.free = Ok(DISK_LEAST - 1)),
        ("Disk", Verdict::Bad, |o| {
            o.free = Err("no such disk".to_owned())
        }),
        ("Docker", Verdict::Bad, |o| {
            o.docker = Err("Docker does not answer".to_owned())
        }),
        ("Docker", Verdict::Bad, |o| {
            o.docker = Ok(SandboxFacts::default())
        }),
        ("NVIDIA driver", Verdict::Bad, |o| o.nvidia_driver = None),
        ("Vulkan loader", Verdict::Warning, |o| o.vulkan = None),
        ("Graphics adapters", Verdict::Bad, |o| {
            o.adapters = Err("it crashed".to_owned())
        }),
        ("Graphics adapters", Verdict::Bad, |o| {
            o.adapters = Ok(vec![])
        }),
    ];
    for (name, expected, change) in faults {
        let mut observed = healthy();
        change(&mut observed);
        assert_eq!(verdict(&observed, name), expected, "{name}: {observed:?}");
    }
}

#[test]
fn nvidia_needs_a_driver_only_where_there_is_a_card_and_docker_must_hand_it_out() {
    let mut observed = healthy();
    observed.nvidia_driver = None;
    observed.nvidia_card = Some(false);
    assert_eq!(verdict(&observed, "NVIDIA driver"), Verdict::Good);
    observed.nvidia_card = None;
    assert_eq!(verdict(&observed, "NVIDIA driver"), Verdict::Warning);
    observed.nvidia_driver = Some("550.54".to_owned());
    let facts = observed.docker.as_mut().unwrap();
    facts.nvidia = false;
    facts.enforced.as_mut().unwrap().nvidia = Part::Absent;
    assert_eq!(verdict(&observed, "NVIDIA driver"), Verdict::Bad);
    let facts = observed.docker.as_mut().unwrap();
    facts.enforced.as_mut().unwrap().cdi = vec!["GPU-1".to_owned()];
    assert_eq!(verdict(&observed, "NVIDIA driver"), Verdict::Good);
}

#[test]
fn what_was_measured_of_the_containment_has_its_verdicts() {
    type Change = fn(&mut Enforced);
    let broken = || Part::Broken {
        why: "it stopped".to_owned(),
    };
    let faults: [(&str, Verdict, Change); 8] = [
        ("Containment", Verdict::Bad, |f| {
            f.gaps = vec!["the filter does not refuse `keyctl`".to_owned()]
        }),
        ("Containment", Verdict::Bad, |f| {
            f.gaps = vec!["memory is not limited".to_owned()]
        }),
        ("Containment", Verdict::Bad, |f| {
            f.gaps = vec!["a job has capabilities".to_owned()]
        }),
        ("CPU share", Verdict::Warning, |f| f.cpu = false),
        ("AppArmor", Verdict::Warning, |f| f.apparmor = None),
        ("User namespaces", Verdict::Warning, |f| f.userns = false),
        ("Disk quota", Verdict::Good, |f| f.volume_quota = true),
        ("gVisor", Verdict::Good, |f| f.gvisor = Part::Works),
    ];
    for (name, expected, change) in faults {
        let mut observed = healthy();
        change(observed.docker.as_mut().unwrap().enforced.as_mut().unwrap());
        assert_eq!(verdict(&observed, name), expected, "{name}");
    }
    for (name, expected) in [
        ("gVisor", Verdict::Warning),
        ("GPU access", Verdict::Warning),
    ] {
        let mut observed = healthy();
        let found = observed.docker.as_mut().unwrap().enforced.as_mut().unwrap();
        found.gvisor = broken();
        found.nvidia = broken();
        assert_eq!(verdict(&observed, name), expected, "{name}");
    }
}

#[test]
fn software_adapters_alone_are_a_warning_that_names_the_switch() {
    let mut observed = healthy();
    for adapter in observed.adapters.as_mut().unwrap() {
        adapter.software = true;
    }
    let checks = diagnose(&observed).checks;
    let check = checks
        .iter()
        .find(|check| check.name == "Graphics adapters")
        .unwrap();
    assert_eq!(check.verdict, Verdict::Warning);
    assert!(
        check
            .remedy
            .as_ref()
            .unwrap()
            .contains("--allow-software-gpu")
    );
}

#[test]
fn keys_need_a_place_and_a_running_agent_speaks_of_them_itself() {
    let names = |observed: &Observed| -> Vec<String> {
        diagnose(observed)
            .checks
            .into_iter()
            .map(|check| check.name)
            .collect()
    };
    let mut observed = healthy();
    assert!(!names(&observed).contains(&"Keys".to_owned()));
    observed.agent = None;
    assert_eq!(verdict(&observed, "Keys"), Verdict::Bad);
    observed.key_place = Some("an encrypted file");
    assert_eq!(verdict(&observed, "Keys"), Verdict::Good);
}

/// The real machine, whatever it is like: every look comes back, and the folder is not made by looking.
#[tokio::test]
async fn looking_changes_nothing_and_ends() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("deep").join("er");
    let graphics = std::path::Path::new("/nonexistent/sublet-gpu");
    let look = observe(&data, graphics, None);
    let observed = tokio::time::timeout(std::time::Duration::from_secs(60), look)
        .await
        .unwrap();
    assert_eq!(observed.folder, Folder::NotYet);
    assert!(!data.exists() && !data.parent().unwrap().exists());
    assert!(observed.free.unwrap() > 0);
    assert!(observed.adapters.is_err(), "there is no such program");

    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let observed = observe(&file.join("data"), graphics, None).await;
    assert!(
        matches!(observed.folder, Folder::Refused(_)),
        "{:?}",
        observed.folder
    );
    let observed = observe(parent.path(), graphics, None).await;
    assert_eq!(observed.folder, Folder::Writable);
    assert_eq!(
        std::fs::read_dir(parent.path()).unwrap().count(),
        1,
        "only our file"
    );
}
