//! What happens to jobs and rigs, told so that it comes to the same end whoever dies on the way: each step waits for
//! what it needs, and each act may be done again.

use super::parts::Victim;
use super::scene::{Scene, is_over};
use crate::program::{given, run};
use crate::simulated::{CARD, calm};
use nvml_sim::{Code, Gpu};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A story.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// Its name.
    pub name: &'static str,
    /// Tells it to its end.
    pub tell: fn(&mut Scene),
    /// Docker dies in it, so it must be the scene's own.
    pub own_docker: bool,
    /// The marketplace gives a lease up in it, so that running time is lost that no report told.
    pub loses_time: bool,
}

const fn story(name: &'static str, tell: fn(&mut Scene)) -> Story {
    Story {
        name,
        tell,
        own_docker: false,
        loses_time: false,
    }
}

/// All stories. A step that no story leads to fails the test of the steps.
pub const ALL: &[Story] = &[
    story("a job that ends well", ends_well),
    story("the owner takes the GPU back, with grace", taken_back),
    story("one GPU is taken back from a job that ignores it", stubborn),
    story("a job keeps its place, and goes on from it", goes_on),
    story("an image that is not there", no_image),
    story("the agent goes down in order, and comes back", goes_down),
    story("the card's power limit is lowered", limit_lowered),
    story("the job stands still for heat", held_for_heat),
    story("memory stays held", memory_held),
    Story {
        loses_time: true,
        ..story("the rig is lost", rig_lost)
    },
    story("an offer that nobody answers", unanswered),
    Story {
        own_docker: true,
        ..story("Docker is away while a job is to end", docker_away)
    },
];

/// The one that is told where only a job's plain life matters.
pub const PLAIN: Story = ALL[0];
/// The one in which a job is stopped.
pub const STOPPED: Story = ALL[1];

fn ends_well(scene: &mut Scene) {
    let job = scene.submit(4, 150, "");
    let view = scene.until_job(&job, "over", is_over);
    may_end(&view, &["completed"]);
}

fn taken_back(scene: &mut Scene) {
    let job = scene.submit(10_000, 100, "      reclaim_grace: 1s\n      retries: 5\n");
    scene.until_running(&job);
    scene.owner(&["pause"]);
    scene.until_job(&job, "no longer leased", |view| view["state"] != "leased");
    scene.owner(&["resume"]);
    scene.until_running(&job);
    scene.cancel(&job);
}

fn stubborn(scene: &mut Scene) {
    let image = image_of(Path::new(&given("SUBLET_HOSTILE")), scene);
    let job = scene.submit_command(
        &image,
        "ignore-signals, '60'",
        "      reclaim_grace: 1s\n      retries: 5\n",
    );
    scene.until_running(&job);
    scene.owner(&["pause", "--gpu", CARD]);
    scene.until_job(&job, "no longer leased", |view| view["state"] != "leased");
    scene.cancel(&job);
    scene.owner(&["resume", "--gpu", CARD]);
}

/// An image of one program, pushed to the registry of the tests: its name with the digest.
fn image_of(program: &Path, scene: &Scene) -> String {
    let name = format!("{}/sublet/stubborn", given("SUBLET_TEST_REGISTRY"));
    let (folder, file) = (
        program.parent().unwrap(),
        program.file_name().unwrap().to_str().unwrap(),
    );
    let script = format!(
        "tar -c -C {} {file} | docker import --change 'ENTRYPOINT [\"/{file}\"]' - {name} >/dev/null && docker push -q {name} >/dev/null && docker image inspect {name} --format '{{{{index .RepoDigests 0}}}}'",
        folder.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    if let Some(dockerd) = &scene.dockerd {
        command.env("DOCKER_HOST", dockerd.host());
    }
    let said = run(&mut command);
    assert_eq!(
        said.code, 0,
        "the image of {file} could not be made: {said:?}"
    );
    said.out.trim().to_owned()
}

fn goes_on(scene: &mut Scene) {
    let lines = "      checkpoint: {folder: /keep, interval: 1s}\n      retries: 5\n";
    let words = ["--checkpoint", "/keep/film", "--checkpoint-passes", "1"];
    let job = scene.submit_with(10_000, 100, &words, lines);
    let kept = |view: &Value| {
        let leases = view["leases"].as_array().unwrap();
        leases.iter().any(|lease| lease["checkpoint"].is_object())
    };
    scene.until_job(&job, "keeping its place", |view| {
        kept(view) || is_over(view)
    });
    scene.owner(&["pause"]);
    scene.until_job(&job, "no longer leased", |view| view["state"] != "leased");
    scene.owner(&["resume"]);
    scene.until_running(&job);
    scene.cancel(&job);
}

fn no_image(scene: &mut Scene) {
    let image = given("SUBLET_SAMPLE_IMAGE");
    let (name, _) = image.split_once('@').unwrap();
    let nowhere = format!("{name}@sha256:{}", "0".repeat(64));
    let job = scene.submit_image(&nowhere, 1, 0, "");
    let view = scene.until_job(&job, "over", is_over);
    may_end(&view, &["failed"]);
}

fn goes_down(scene: &mut Scene) {
    let job = scene.submit(15, 150, "");
    scene.until_running(&job);
    scene.agent_wanted = false;
    if let Some(agent) = &scene.world.rig.process {
        agent.signal(Signal::TERM);
    }
    scene.until("the agent's end", |scene| {
        let agent = scene.world.rig.process.as_ref();
        agent.map_or(Ok(()), |_| Err("it still runs".to_owned()))
    });
    scene.agent_wanted = true;
    let view = scene.until_job(&job, "over", is_over);
    may_end(&view, &["completed"]);
}

fn limit_lowered(scene: &mut Scene) {
    let job = scene.submit(10_000, 100, "      retries: 5\n");
    scene.until_running(&job);
    scene.world.show(warm(81));
    scene.until("a lower power limit", |scene| {
        match scene.world.limit_mw() {
            Some(limit) if limit < FACTORY_MW => Ok(()),
            limit => Err(format!("{limit:?}")),
        }
    });
    scene.world.show(calm());
    scene.cancel(&job);
}

fn held_for_heat(scene: &mut Scene) {
    let no_permission = |gpu: Gpu| Gpu {
        errors: [("set_power_management_limit".to_owned(), Code::NoPermission)].into(),
        ..gpu
    };
    let job = scene.submit(10_000, 100, "      retries: 5\n");
    scene.until_running(&job);
    scene.world.show(no_permission(warm(81)));
    scene.until_job(&job, "paused", |view| {
        newest(view) == "paused" || is_over(view)
    });
    scene.world.show(no_permission(warm(50)));
    scene.until_running(&job);
    scene.world.show(calm());
    scene.cancel(&job);
}

fn memory_held(scene: &mut Scene) {
    let job = scene.submit(10_000, 100, "      retries: 5\n");
    scene.until_running(&job);
    scene.world.show(holding(9_000));
    scene.cancel(&job);
    scene.until_reason("memory_held", true);
    // A restart looks at once, where one that runs would wait ten seconds.
    scene.world.show(Gpu {
        errors: [("memory_info".to_owned(), Code::Unknown)].into(),
        ..calm()
    });
    scene.kill_agent();
    scene.told("status");
    scene.rest(std::time::Duration::from_millis(1_500));
    scene.world.show(calm());
    scene.kill_agent();
    scene.until_reason("memory_held", false);
}

fn rig_lost(scene: &mut Scene) {
    let job = scene.submit(10_000, 100, "      retries: 5\n");
    scene.until_running(&job);
    scene.agent_wanted = false;
    scene.kill_agent();
    scene.until_job(&job, "given up", |view| newest(view) == "lost");
    scene.agent_wanted = true;
    scene.until_running(&job);
    scene.cancel(&job);
}

fn unanswered(scene: &mut Scene) {
    scene.agent_wanted = false;
    scene.kill_agent();
    let job = scene.submit(2, 100, "");
    scene.until_job(&job, "refused", |view| {
        view["leases"]
            .as_array()
            .unwrap()
            .iter()
            .any(|lease| lease["state"] == "refused")
    });
    scene.agent_wanted = true;
    let view = scene.until_job(&job, "over", is_over);
    may_end(&view, &["completed"]);
}

fn docker_away(scene: &mut Scene) {
    let job = scene.submit(10_000, 100, "      retries: 5\n");
    scene.until_running(&job);
    scene.kill(&[Victim::Docker], 3_000);
    scene.cancel(&job);
}

const FACTORY_MW: u32 = 450_000;

fn warm(temperature_c: u32) -> Gpu {
    Gpu {
        temperature_c,
        ..calm()
    }
}

fn holding(mib: u64) -> Gpu {
    Gpu {
        memory_used_mib: mib,
        ..calm()
    }
}

fn newest(job: &Value) -> &str {
    let leases = job["leases"].as_array().unwrap();
    leases
        .last()
        .and_then(|lease| lease["state"].as_str())
        .unwrap_or_default()
}

#[track_caller]
fn may_end(job: &Value, states: &[&str]) {
    let state = job["state"].as_str().unwrap();
    assert!(states.contains(&state), "it should be {states:?}: {job}");
}
