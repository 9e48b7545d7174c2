//! Deployments that are taken over, and what is refused of others.

use super::*;
use crate::job::parse;
use crate::money::MicroUsd;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn sdl() -> String {
    format!(
        r#"version: "2.0"
services:
  trainer:
    image: r.example/a@{DIGEST}
    args: ["--epochs", 3]
    env:
      - SEED=7
      - NAME=a b
profiles:
  compute:
    trainer:
      resources:
        cpu:
          units: 1500m
        memory:
          size: 1.5Gi
        storage:
          size: 5Gi
        gpu:
          units: 2
          attributes:
            vendor:
              nvidia:
                - model: rtx3060ti
                  ram: 8Gi
  placement:
    anywhere:
      pricing:
        trainer:
          denom: uakt
          amount: 1000
deployment:
  trainer:
    anywhere:
      profile: trainer
      count: 1
"#
    )
}

fn price() -> Option<HourlyPrice> {
    Some(HourlyPrice(MicroUsd(350_000)))
}

#[test]
fn a_deployment_of_one_service_becomes_the_same_job() {
    for version in ["\"2.0\"", "\"2.1\"", "2.0"] {
        let text = sdl().replace("\"2.0\"", version);
        let imported = import_sdl(&text, price()).unwrap();
        let job = parse(&imported.job).unwrap();
        assert_eq!(job.name, "trainer");
        assert_eq!(job.image.digest(), DIGEST);
        assert_eq!(job.command.unwrap(), ["--epochs", "3"]);
        assert_eq!(job.environment["SEED"], "7");
        assert_eq!(job.environment["NAME"], "a b");
        assert_eq!((job.cpu_milli, job.memory_bytes), (1500, 3 << 29));
        assert_eq!((job.gpu.count, job.gpu.vram_min_bytes), (2, 8 << 30));
        assert_eq!(job.gpu.model.as_deref(), Some("RTX 3060 Ti"));
        assert_eq!(Some(job.max_price), price());
        // What means something else here is told.
        for word in ["Storage of 5Gi", "outputs", "deadline", "1000 uakt"] {
            assert!(
                imported.notes.iter().any(|note| note.contains(word)),
                "{word}"
            );
        }
    }
}

#[test]
fn a_vendor_without_a_model_asks_for_any_of_its_gpus() {
    let any = sdl().replace(
        "                - model: rtx3060ti\n                  ram: 8Gi\n",
        "",
    );
    let job = parse(&import_sdl(&any, price()).unwrap().job).unwrap();
    assert_eq!(job.gpu.model.as_deref(), Some("NVIDIA"));
}

/// With this line put in place of another, the import is refused at a place, with a word.
#[track_caller]
fn refused(old: &str, new: &str, word: &str) {
    let text = sdl().replacen(old, new, 1);
    assert_ne!(text, sdl(), "nothing was replaced");
    let errors = import_sdl(&text, price()).unwrap_err();
    let found = errors.iter().find(|error| error.what.contains(word));
    assert!(found.is_some(), "no `{word}` in {errors:?}");
    let error = found.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let line = usize::try_from(error.line).unwrap();
    assert!((1..=lines.len()).contains(&line), "{error}");
    assert!(error.column >= 1, "{error}");
}

#[test]
fn what_has_no_counterpart_is_refused_by_name() {
    let at_service = |line: &str| format!("    args: [x]\n    {line}\n");
    let old = "    args: [\"--epochs\", 3]\n";
    refused(
        old,
        &at_service("expose: [{port: 80, to: [{global: true}]}]"),
        "`expose`",
    );
    refused(old, &at_service("command: [sh, -c]"), "`command`");
    refused(
        old,
        &at_service("params: {storage: {data: {mount: /data}}}"),
        "`params`",
    );
    refused(
        old,
        &at_service("credentials: {host: r.example}"),
        "`credentials`",
    );
    refused(
        old,
        &at_service("dependencies: [{service: db}]"),
        "`dependencies`",
    );
    refused(old, &at_service("no_such_key: 1"), "no_such_key");
    refused("@sha256", ":latest#", "no digest");
    refused("SEED=7", "SEED", "has no value");
    refused(
        "      pricing:",
        "      attributes: {host: akash}\n      pricing:",
        "`attributes`",
    );
    refused(
        "      pricing:",
        "      signedBy: {anyOf: [akash1x]}\n      pricing:",
        "`signedBy`",
    );
    refused("count: 1", "count: 2", "`count`");
    refused("ram: 8Gi", "interface: sxm", "`interface`");
    refused("ram: 8Gi", "ram: lots", "not a size");
    refused("nvidia:", "intel:", "intel");
    refused(
        "- model: rtx3060ti",
        "- model: a100\n                - model: h100",
        "several models",
    );
    refused("units: 2", "units: 0", "1 to 8");
    refused(
        "size: 5Gi",
        "size: 5Gi\n          attributes: {persistent: true}",
        "outlives",
    );
    refused("version: \"2.0\"", "version: \"3.0\"", "3.0");
    refused(
        "deployment:",
        "endpoints: {ip: {kind: ip}}\ndeployment:",
        "`endpoints`",
    );
    refused(
        "  trainer:\n    image",
        "  other: {image: x}\n  trainer:\n    image",
        "exactly one",
    );
    refused("profile: trainer", "profile: another", "another");
}

#[test]
fn what_asks_for_nothing_is_no_obstacle() {
    let text = sdl().replace(
        "      pricing:",
        "      attributes: {}\n      signedBy: {anyOf: [], allOf: []}\n      pricing:",
    );
    import_sdl(&text, price()).unwrap();
}

#[test]
fn a_price_in_coins_needs_one_in_dollars_and_all_that_is_wrong_is_told_at_once() {
    let text = sdl()
        .replace("count: 1", "count: 3")
        .replace("ram: 8Gi", "interface: pcie");
    let errors = import_sdl(&text, None).unwrap_err();
    let words: Vec<bool> = ["`interface`", "1000 uakt", "`count`"]
        .iter()
        .zip(&errors)
        .map(|(word, error)| error.what.contains(word))
        .collect();
    assert_eq!(
        words,
        [true, true, true],
        "in the order of the text: {errors:?}"
    );
    assert!(errors[1].what.contains("--price"));
}

#[test]
fn no_text_brings_the_import_down() {
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&proptest::prelude::any::<String>(), |text| {
            for text in [text.clone(), sdl().replace("trainer", &text)] {
                if let Err(errors) = import_sdl(&text, price()) {
                    for error in errors {
                        assert!(error.line > 0 && error.column > 0, "{error}");
                    }
                }
            }
            Ok(())
        })
        .unwrap();
}
