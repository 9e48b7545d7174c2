//! Job files that are taken, and where the others are wrong.

use super::*;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn job(service: &str, sublet: &str) -> String {
    format!(
        "services:\n  tracer:\n    image: r.example/a@{DIGEST}\n{service}    x-sublet:\n      max_price_per_hour: 0.50\n{sublet}"
    )
}

#[test]
fn a_whole_job_is_read() {
    let text = job(
        "    command: [\"--width\", \"640\"]\n    environment:\n      SEED: 7\n    deploy:\n      resources:\n        limits: {cpus: \"1.5\", memory: 512m, pids: 64}\n        reservations:\n          devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]\n",
        "      gpu: {vram_min: 8g, score_min: 100, model: RTX}\n      deadline: 10m\n      outputs: [/out/a.png, /out/b.png]\n      network: none\n",
    );
    let spec = parse(&text).unwrap();
    assert_eq!(spec.name, "tracer");
    assert_eq!(spec.environment.get("SEED").map(String::as_str), Some("7"));
    assert_eq!(
        (spec.cpu_milli, spec.memory_bytes, spec.pids),
        (1500, 512 << 20, 64)
    );
    assert_eq!(
        (spec.gpu.count, spec.gpu.vram_min_bytes, spec.gpu.score_min),
        (2, 8 << 30, 100)
    );
    assert_eq!(spec.max_price, HourlyPrice(MicroUsd(500_000)));
    assert_eq!((spec.deadline_ms, spec.retries), (600_000, 2));
    assert_eq!(spec.output_folder(), Some("/out"));
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<JobSpec>(&json).unwrap(), spec);
}

#[track_caller]
fn refused(text: &str, line: u64, word: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.line, line, "{error}");
    assert!(error.what.contains(word), "{error}");
    assert!(error.column > 0, "{error}");
}

#[test]
fn refused_keys_are_named_with_their_line() {
    for key in [
        "privileged: true",
        "volumes: [\"/:/host\"]",
        "network_mode: host",
        "pid: host",
        "ipc: host",
        "cap_add: [SYS_ADMIN]",
        "devices: [/dev/mem]",
        "security_opt: [\"seccomp=unconfined\"]",
        "userns_mode: host",
        "sysctls: {a: 1}",
        "group_add: [0]",
        "runtime: runc",
        "user: root",
    ] {
        let name = key.split(':').next().unwrap();
        refused(&job(&format!("    {key}\n"), ""), 4, name);
    }
    refused(&job("    pirvileged: true\n", ""), 4, "pirvileged");
    refused(&job("", "      verify: {}\n"), 6, "not serve it yet");
}

#[test]
fn wrong_values_are_named_with_their_line() {
    refused(&job("", "      deadline: 10\n"), 6, "not a time");
    refused(&job("", "      deadline: 500h\n"), 6, "1s to 168h");
    refused(&job("", "      outputs: [/etc/passwd]\n"), 6, "/etc");
    refused(&job("", "      outputs: [/out/../x]\n"), 6, "not an output");
    refused(&job("", "      outputs: [out.png]\n"), 6, "not an output");
    refused(&job("", "      network: host\n"), 6, "network");
    refused(
        &job("    environment: {NVIDIA_VISIBLE_DEVICES: all}\n", ""),
        4,
        "NVIDIA_",
    );
    refused(
        &job("", "").replace(&format!("@{DIGEST}"), ":latest"),
        3,
        "no digest",
    );
    refused(&job("", "").replace("0.50", "cheap"), 5, "not an amount");
    refused("services:\n  a: 1\n", 2, "");
    refused(
        &job("", "").replace("services:", "services: {}\nx:"),
        2,
        "x",
    );
}

#[test]
fn an_error_points_at_the_value_that_is_wrong() {
    let place = |text: &str| {
        let error = parse(text).unwrap_err();
        (error.line, error.column)
    };
    assert_eq!(place(&job("", "      gpu: {count: 9}\n")), (6, 20));
    assert_eq!(place(&job("", "      retries:   101\n")), (6, 18));
    assert_eq!(place(&format!("\n{}", "#".repeat(70_000))), (2, 65_536));
    assert_eq!(place(""), (1, 1));
}

#[test]
fn no_text_brings_the_reader_down() {
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&proptest::prelude::any::<String>(), |text| {
            for text in [text.clone(), job(&format!("    {text}\n"), "")] {
                if let Err(error) = parse(&text) {
                    assert!(error.line > 0 && error.column > 0, "{error}");
                }
            }
            Ok(())
        })
        .unwrap();
    let deep = format!("services: {}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(parse(&deep).is_err());
}
