//! What a renter does before a marketplace is asked: a schema for the editor, a deployment taken over, a file checked.

use crate::support::run;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn sdl(more: &str) -> String {
    format!(
        "version: \"2.0\"\nservices:\n  render:\n    image: r.example/a@{DIGEST}\n{more}profiles:\n  compute:\n    render:\n      \
         resources:\n        cpu: {{units: 2}}\n        memory: {{size: 1Gi}}\n        storage: {{size: 1Gi}}\n        \
         gpu: {{units: 1, attributes: {{vendor: {{nvidia: }}}}}}\n  placement:\n    any:\n      pricing:\n        \
         render: {{denom: uakt, amount: 100}}\ndeployment:\n  render:\n    any: {{profile: render, count: 1}}\n"
    )
}

#[test]
fn a_deployment_is_taken_over_and_is_then_a_good_job() {
    let folder = tempfile::tempdir().unwrap();
    let deployment = folder.path().join("deploy.yaml");
    std::fs::write(&deployment, sdl("")).unwrap();
    let deployment = deployment.to_str().unwrap();
    let imported = run(&["import", deployment, "--price", "0.40"]);
    let told = String::from_utf8_lossy(&imported.stderr).into_owned();
    assert!(imported.status.success(), "{told}");
    assert!(told.contains("outputs"), "{told}");

    let job = folder.path().join("job.yaml");
    std::fs::write(&job, &imported.stdout).unwrap();
    let checked = run(&["validate", job.to_str().unwrap(), "--json"]);
    assert!(checked.status.success());
    let spec: sublet_protocol::job::JobSpec = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(spec.gpu.model.as_deref(), Some("NVIDIA"));
    assert_eq!(spec.max_price.0.0, 400_000);
}

#[test]
fn all_that_has_no_counterpart_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let deployment = folder.path().join("deploy.yaml");
    std::fs::write(
        &deployment,
        sdl("    expose: [{port: 80}]\n    command: [sh]\n"),
    )
    .unwrap();
    let refused = run(&["import", deployment.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty(), "no half of a job is printed");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    for words in [
        "line 5, column",
        "`expose`",
        "line 6, column",
        "`command`",
        "--price",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn the_schema_is_the_one_in_the_docs() {
    let printed = run(&["schema"]);
    assert!(printed.status.success());
    assert_eq!(
        printed.stdout,
        include_bytes!("../../../docs/job.schema.json")
    );
}

#[test]
fn a_file_that_is_wrong_is_told_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("job.yaml");
    let text = format!(
        "services:\n  a:\n    image: r.example/a@{DIGEST}\n    x-sublet: {{max_price_per_hour: 1, retries: 101}}\n"
    );
    std::fs::write(&job, text).unwrap();
    let refused = run(&["validate", job.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("line 4, column 48: `retries` must be 0 to 100"),
        "{told}"
    );
}
