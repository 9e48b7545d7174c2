//! `ps`: the renter's jobs, or one of them with its leases.

use super::client::Client;
use super::{Access, CliError, describe, say};
use clap::Args;
use reqwest::Method;
use sublet_protocol::ids::JobId;
use sublet_protocol::renter::{JobList, JobState, JobView, LeaseView};

#[derive(Args)]
pub struct Ps {
    /// Only this one, with its leases
    job: Option<JobId>,
    #[command(flatten)]
    access: Access,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Ps {
    pub async fn run(self) -> Result<(), CliError> {
        let client = Client::new(&self.access)?;
        if let Some(job) = &self.job {
            let view = client.job(job).await?;
            return if self.json {
                say::json(&view)
            } else {
                one(&view)
            };
        }
        let list: JobList = client.json(client.request(Method::GET, "/v1/jobs")).await?;
        if self.json {
            say::json(&list)
        } else {
            all(&list.jobs)
        }
    }
}

fn all(jobs: &[JobView]) -> Result<(), CliError> {
    let count = |state| jobs.iter().filter(|job| job.state == state).count();
    if jobs.is_empty() {
        say::line("No jobs yet.")?;
        say::hint("Next: sublet-market submit job.yaml --wait");
        return Ok(());
    }
    say::line(format_args!(
        "{} on a rig, {} waiting for one, {} completed.",
        count(JobState::Leased),
        count(JobState::Queued),
        count(JobState::Completed)
    ))?;
    let rows = jobs.iter().map(|job| {
        let last = job.leases.last();
        let used: u64 = job.leases.iter().map(|lease| lease.used_ms).sum();
        vec![
            job.job.to_string(),
            job.spec.name.clone(),
            describe::state(job.state).to_owned(),
            last.map(describe::progress).unwrap_or_default(),
            describe::duration(used),
            job.charged.to_string(),
            job.waiting_for
                .clone()
                .or_else(|| last.map(describe::step))
                .unwrap_or_default(),
        ]
    });
    say::table(&["JOB", "NAME", "STATE", "", "RAN", "COST", ""], rows)
}

fn one(job: &JobView) -> Result<(), CliError> {
    say::line(describe::sentence(job))?;
    if !job.leases.is_empty() {
        let row = |lease: &LeaseView| {
            vec![
                lease.lease.to_string(),
                lease.rig.to_string(),
                lease.gpus.join(", "),
                lease.state.name().to_owned(),
                describe::progress(lease),
                lease.price.to_string(),
                describe::duration(lease.used_ms),
                lease.charged.to_string(),
            ]
        };
        say::table(
            &["LEASE", "RIG", "GPU", "STATE", "", "PRICE", "RAN", "COST"],
            job.leases.iter().map(row),
        )?;
    }
    if job.state == JobState::Completed && !job.spec.outputs.is_empty() {
        say::hint(format_args!(
            "Next: sublet-market fetch {} --out .",
            job.job
        ));
    }
    Ok(())
}
