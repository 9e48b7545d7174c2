//! `submit` and `validate`: a job file goes to the marketplace, or is only read.

use super::client::Client;
use super::{Access, CliError, describe, inputs, say};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use std::path::{Path, PathBuf};
use std::time::Duration;
use sublet_protocol::ids::JobId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::renter::{JobState, JobView, Submitted};

/// How often a job is looked at while one waits for it.
const LOOK: Duration = Duration::from_millis(500);
/// How long a marketplace may be away while one waits.
const PATIENCE: u32 = 60;

#[derive(Args)]
pub struct Submit {
    /// The job file (a subset of Compose)
    file: PathBuf,
    /// Wait until the job is over, and show how it goes
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    access: Access,
    /// Print JSON: the job's id, or with --wait the whole job at its end
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Validate {
    /// The job file
    file: PathBuf,
    /// Print the job as it is understood, as JSON
    #[arg(long)]
    json: bool,
}

/// The job file as the marketplace is to have it, what it says, and the files of this machine that it names.
async fn read(file: &Path) -> Result<(String, JobSpec, Vec<inputs::Local>), CliError> {
    let text = std::fs::read_to_string(file).map_err(CliError::failed(file.display()))?;
    let (text, locals) = inputs::found(file, &text).await?;
    let spec = sublet_protocol::job::parse(&text)
        .map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))?;
    Ok((text, spec, locals))
}

impl Validate {
    pub async fn run(self) -> Result<(), CliError> {
        let (_, spec, _) = read(&self.file).await?;
        if self.json {
            return say::json(&spec);
        }
        say::line(format_args!(
            "{} is a good job: `{}` runs {} on {} GPU{} for at most {} and {}.",
            self.file.display(),
            spec.name,
            spec.image,
            spec.gpu.count,
            if spec.gpu.count == 1 { "" } else { "s" },
            spec.max_price,
            describe::duration(spec.deadline_ms)
        ))?;
        for (path, cid) in &spec.inputs {
            say::line(format_args!("It reads {path}, which is {cid}."))?;
        }
        say::hint(format_args!(
            "Next: sublet-market submit {} --wait",
            self.file.display()
        ));
        Ok(())
    }
}

impl Submit {
    pub async fn run(self) -> Result<(), CliError> {
        let (text, spec, locals) = read(&self.file).await?;
        let client = Client::new(&self.access)?;
        inputs::upload(&client, &locals).await?;
        let request = client
            .request(Method::POST, "/v1/jobs")
            .header("content-type", "application/yaml")
            .body(text);
        let submitted: Submitted = client.json(request).await?;
        let job = &submitted.job;
        if !self.wait {
            if self.json {
                return say::json(&submitted);
            }
            say::line(format_args!("Submitted `{}` as {job}.", spec.name))?;
            say::hint(format_args!("Next: sublet-market logs {job} --follow"));
            return Ok(());
        }
        say::progress(format_args!("Submitted `{}` as {job}.", spec.name));
        let view = watch(&client, job).await?;
        if self.json {
            say::json(&view)?;
        } else {
            say::line(describe::sentence(&view))?;
        }
        if view.state != JobState::Completed {
            return Err(CliError::JobEnded(format!(
                "Job {job} ended without success."
            )));
        }
        if !self.json && !view.spec.outputs.is_empty() {
            say::hint(format_args!("Next: sublet-market fetch {job} --out ."));
        }
        Ok(())
    }
}

/// Shows each change on stderr until the job is over.
async fn watch(client: &Client, job: &JobId) -> Result<JobView, CliError> {
    let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} %") {
        bar.set_style(style);
    }
    let (mut told, mut missed) = (String::new(), 0);
    loop {
        let view = match client.job(job).await {
            Ok(view) => view,
            Err(CliError::Unreachable(why)) if missed < PATIENCE => {
                missed += 1;
                if missed == 1 {
                    bar.suspend(|| say::progress(format_args!("{why} Trying again for a while.")));
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            Err(other) => return Err(other),
        };
        missed = 0;
        let last = view.leases.last();
        let now = match (view.state, last, &view.waiting_for) {
            (JobState::Queued, _, Some(why)) => format!("waiting for a rig: {why}"),
            (_, Some(lease), _) => describe::step(lease),
            (_, None, _) => "waiting for a rig".into(),
        };
        if now != told {
            bar.suspend(|| say::progress(&now));
            told = now;
        }
        if let Some((lease, permille)) = last.and_then(|l| Some((l, l.progress_permille?))) {
            bar.set_message(format!("{} so far", lease.charged));
            bar.set_position(u64::from(permille));
        }
        if view.state.is_over() {
            bar.finish_and_clear();
            return Ok(view);
        }
        tokio::time::sleep(LOOK).await;
    }
}
