//! What a job finds when it looks around and tries the walls.

use super::Stage;
use serde_json::json;

/// The value of a line such as `CapEff:\t0000000000000000`.
fn field<'a>(said: &'a str, name: &str) -> &'a str {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no `{name}` in\n{said}"))
        .trim()
}

#[tokio::test]
async fn a_job_has_no_privilege_and_gets_none() {
    let stage = Stage::set().await;
    let (said, exit) = stage.run(&["show /proc/self/status", "escape"]).await;
    assert_eq!(exit.code, 0, "{said}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(&said, set), "0000000000000000", "{set}");
    }
    assert_eq!(field(&said, "NoNewPrivs"), "1");
    // 2 is a filter.
    assert_eq!(field(&said, "Seccomp"), "2");
    assert_eq!(field(&said, "Uid"), "65534\t65534\t65534\t65534");
    assert_eq!(field(&said, "Gid"), "65534\t65534\t65534\t65534");
    assert!(["", "65534"].contains(&field(&said, "Groups")), "{said}");

    const NOT_PERMITTED: &str = "Ok(1)";
    for deed in ["mount", "device", "user namespace", "setuid", "keyring"] {
        assert_eq!(field(&said, deed), NOT_PERMITTED, "{deed}");
    }
    for deed in ["kernel log", "kernel setting", "cgroup"] {
        assert_ne!(field(&said, deed), "done", "{deed}");
    }
}

#[tokio::test]
async fn a_job_writes_to_its_scratch_and_its_outputs_only() {
    let stage = Stage::set().await;
    let (said, exit) = stage
        .run(&[
            "write /file x",
            "write /inmate x",
            "write /etc/hosts x",
            "write /tmp/file x",
            "write /out/a x",
            "names /",
            "show /proc/self/mounts",
            "fill /tmp/large 100",
            // Scratch counts as memory, so both full would be too much.
            "remove /tmp/large",
            "fill /dev/shm/large 100",
        ])
        .await;
    assert_eq!(exit.code, 0, "{said}");
    for path in ["/file", "/inmate", "/etc/hosts"] {
        // EROFS, or EACCES where the owner is asked first.
        let outcome = field(&said, &format!("write {path}"));
        assert!(["Ok(30)", "Ok(13)"].contains(&outcome), "{path}: {outcome}");
    }
    assert_eq!(field(&said, "write /tmp/file"), "done");
    assert_eq!(field(&said, "write /out/a"), "done");
    // The root of the host has far more.
    assert_eq!(
        field(&said, "names /"),
        ".dockerenv dev etc inmate out proc sbin sys tmp"
    );
    let mount = |folder: &str| {
        let place = format!(" {folder} ");
        let line = said.lines().find(|line| line.contains(&place));
        line.unwrap_or_else(|| panic!("no {folder} in\n{said}"))
            .split(' ')
            .nth(3)
            .unwrap()
            .split(',')
            .collect::<Vec<_>>()
    };
    assert!(mount("/").contains(&"ro"));
    for folder in ["/tmp", "/dev/shm"] {
        assert!(mount(folder).contains(&"nosuid"), "{folder}");
        assert!(mount(folder).contains(&"nodev"), "{folder}");
        // 128 MiB of memory leave 64 for each.
        let filled = field(&said, &format!("fill {folder}/large"));
        assert_eq!(
            filled.split(' ').next(),
            Some(if folder == "/tmp" { "63" } else { "64" }),
            "{filled}"
        );
    }
    assert!(!said.contains("docker.sock"), "{said}");
}

#[tokio::test]
async fn a_job_has_no_network() {
    let stage = Stage::set().await;
    // The registry listens on the host's loopback; the other address is one of no network at all.
    let registry = stage.registry.image(&format!("sha256:{}", "0".repeat(64)));
    let address = registry.name().split('/').next().unwrap().to_owned();
    let (said, _) = stage
        .run(&[
            "names /sys/class/net",
            "show /proc/net/route",
            &format!("dial {address}"),
            "dial 192.0.2.1:80",
        ])
        .await;
    assert_eq!(field(&said, "names /sys/class/net"), "lo");
    assert_eq!(
        said.lines().filter(|line| line.starts_with("dial")).count(),
        2
    );
    assert!(!said.contains("dial: done"), "{said}");
    // The table of routes has a head and no more.
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[tokio::test]
async fn a_job_sees_itself_only() {
    let stage = Stage::set().await;
    let (said, _) = stage
        .run(&[
            "names /proc",
            "show /proc/1/comm",
            "show /proc/sys/kernel/hostname",
            "environment",
        ])
        .await;
    let processes: Vec<&str> = field(&said, "names /proc")
        .split(' ')
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    assert_eq!(processes.len(), 2, "its init and itself: {processes:?}");
    assert!(
        said.contains("\ndocker-init\n") || said.contains("\ntini\n"),
        "{said}"
    );
    assert!(said.contains("\njob\n"), "{said}");
    for line in ["GREETING=hello", "HOME=/tmp", "NVIDIA_VISIBLE_DEVICES=void"] {
        assert!(said.lines().any(|l| l == line), "no {line} in\n{said}");
    }
}

#[tokio::test]
async fn a_job_stays_within_its_limits() {
    let stage = Stage::set().await;
    let (said, exit) = stage
        .run(&[
            "children 100",
            "open 10000",
            "show /proc/self/limits",
            "show /proc/self/oom_score_adj",
            "fill /out/large 80",
        ])
        .await;
    assert_eq!(exit.code, 0, "{said}");
    let children: u32 = field(&said, "children").parse().unwrap();
    assert!((20..32).contains(&children), "of 32 processes: {children}");
    let open: u32 = field(&said, "open").parse().unwrap();
    assert!((8000..8192).contains(&open), "of 8192 files: {open}");
    let limit = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("no `{name}` in\n{said}"));
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(limit("Max core file size"), "0 0");
    assert_eq!(limit("Max file size"), "67108864 67108864");
    assert!(said.lines().any(|line| line == "1000"), "{said}");
    // EFBIG after what one file may hold.
    assert_eq!(field(&said, "fill /out/large"), "64 MiB, then Some(27)");
}

#[tokio::test]
async fn a_job_that_outgrows_its_memory_is_ended_and_it_shows() {
    let stage = Stage::set().await;
    let (said, exit) = stage.run(&["eat 64", "eat 400"]).await;
    assert_eq!(said, "eat: 64 MiB\n");
    assert_eq!((exit.code, exit.oom_killed), (137, true));
}

#[tokio::test]
async fn two_threads_share_the_one_core_they_were_given() {
    let stage = Stage::set().await;
    let mut spec = stage
        .spec(&[
            "spin 2000",
            "show /sys/fs/cgroup/cpu/cpu.stat",
            "show /sys/fs/cgroup/cpu.stat",
        ])
        .await;
    spec.cpu_milli = 200;
    let terms = stage.lease().await;
    let (said, _) = stage.run_spec(&spec, &terms).await.unwrap();
    let throttled = said
        .lines()
        .find_map(|line| line.strip_prefix("nr_throttled "))
        .unwrap_or_else(|| panic!("no throttling told of in\n{said}"));
    assert!(throttled.parse::<u32>().unwrap() > 5, "{said}");
}

#[tokio::test]
async fn what_an_image_declares_lifts_nothing() {
    let stage = Stage::set().await;
    let pushed = stage.push_with(json!({
        "User": "0",
        "Env": ["NVIDIA_VISIBLE_DEVICES=all"],
        "Volumes": {"/data": {}, "/out": {}, "/tmp": {}},
        "Healthcheck": {"Test": ["CMD", "/inmate", "write /tmp/sick x"], "Interval": 1_000_000_000},
        "Labels": {"sublet.rig": "another"},
    }));
    stage.sandbox.pull(&pushed.image, |_, _| {}).await.unwrap();
    let deeds = [
        "show /proc/self/status",
        "environment",
        "show /proc/self/mounts",
        "write /data/file x",
        "sleep 1500",
        "names /tmp",
    ];
    let spec = super::spec(pushed.image, &deeds);
    let terms = stage.lease().await;
    let (said, _) = stage.run_spec(&spec, &terms).await.unwrap();
    assert_eq!(field(&said, "Uid"), "65534\t65534\t65534\t65534");
    assert!(
        said.lines().any(|l| l == "NVIDIA_VISIBLE_DEVICES=void"),
        "{said}"
    );
    assert!(
        said.lines().any(|l| l.starts_with("tmpfs /data tmpfs ")),
        "{said}"
    );
    assert_eq!(field(&said, "write /data/file"), "done");
    assert_eq!(field(&said, "names /tmp"), "");
    let found = stage.sandbox.look(&stage.rig).await.unwrap();
    assert_eq!(found.len(), 1, "the image's label does not hide it");
}
