//! `logs`: what a job prints.

use super::client::Client;
use super::{Access, CliError, say};
use clap::Args;
use reqwest::Method;
use sublet_protocol::ids::{JobId, LeaseId};
use sublet_protocol::renter::LogChunk;

/// How long one question waits for more, in ms.
const WAIT_MS: u64 = 20_000;

#[derive(Args)]
pub struct Logs {
    /// Which job
    job: JobId,
    /// Of which lease; the newest one's where it is not named
    #[arg(long)]
    lease: Option<LeaseId>,
    /// Go on until the job is over
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    access: Access,
    /// Print JSON: one object a piece
    #[arg(long)]
    json: bool,
}

impl Logs {
    pub async fn run(self) -> Result<(), CliError> {
        let client = Client::new(&self.access)?;
        let (mut lease, mut offset) = (self.lease.clone(), 0);
        loop {
            let chunk = self.ask(&client, lease.as_ref(), offset).await?;
            if lease.is_none()
                && let Some(of) = &chunk.lease
            {
                say::progress(format_args!("log of {of}"));
            }
            offset = chunk.next_offset;
            lease = chunk.lease.clone();
            if self.json {
                say::json(&chunk)?;
            } else {
                say::output(&chunk.text)?;
            }
            if chunk.end {
                if !self.follow {
                    return Ok(());
                }
                // Perhaps another rig has taken it up.
                let job = client.job(&self.job).await?;
                let newest = job.leases.last().map(|lease| lease.lease.clone());
                if newest != lease {
                    (lease, offset) = (None, 0);
                } else if job.state.is_over() {
                    return Ok(());
                } else {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            } else if !self.follow && chunk.text.is_empty() {
                return Ok(());
            }
        }
    }

    async fn ask(
        &self,
        client: &Client,
        lease: Option<&LeaseId>,
        offset: u64,
    ) -> Result<LogChunk, CliError> {
        let wait = if self.follow { WAIT_MS } else { 0 };
        let mut query = vec![
            ("offset", offset.to_string()),
            ("wait_ms", wait.to_string()),
        ];
        if let Some(lease) = lease {
            query.push(("lease", lease.to_string()));
        }
        let path = format!("/v1/jobs/{}/logs", self.job);
        client
            .json(client.request(Method::GET, &path).query(&query))
            .await
    }
}
