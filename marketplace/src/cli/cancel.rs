//! `cancel`: ends a job.

use super::client::Client;
use super::{Access, CliError, say};
use clap::Args;
use reqwest::Method;
use sublet_protocol::ids::JobId;
use sublet_protocol::renter::{JobState, JobView};

#[derive(Args)]
pub struct Cancel {
    /// Which job
    job: JobId,
    #[command(flatten)]
    access: Access,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Cancel {
    pub async fn run(self) -> Result<(), CliError> {
        let client = Client::new(&self.access)?;
        let request = client.request(Method::DELETE, &format!("/v1/jobs/{}", self.job));
        let job: JobView = client.json(request).await?;
        if self.json {
            return say::json(&job);
        }
        if job.state == JobState::Cancelled {
            say::line(format_args!(
                "Job {} is cancelled; it cost {}.",
                job.job, job.charged
            ))
        } else {
            say::line(format_args!(
                "Job {} is being stopped: its rig has been told. What ran until then is paid.",
                job.job
            ))?;
            say::hint(format_args!("Next: sublet-market ps {}", job.job));
            Ok(())
        }
    }
}
