//! Shows a job while it runs: its states, its own progress, and how the GPU does.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::parties::Parties;
use crate::console::Console;
use crate::process::wait_until;

/// How long the sample job may take, queueing and pulling included.
const JOB_WITHIN: Duration = Duration::from_secs(300);
/// How long the last voucher may take.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// Follows a job to its end; an error when it ends in any other way than completed.
pub fn until_over(console: &Console, parties: &Parties, job: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut task = console.task("Rendering");
    let mut last_state = String::new();
    loop {
        crate::interrupt::check()?;
        let view = view(parties, job)?;
        let state = view["state"].as_str().unwrap_or_default();
        let lease = view["leases"]
            .as_array()
            .and_then(|leases| leases.last())
            .cloned()
            .unwrap_or(Value::Null);
        let stand = lease["state"].as_str().unwrap_or("queued").to_owned();
        if stand != last_state {
            console.say(&format!(
                "  {:>6.1} s  {stand}",
                begun.elapsed().as_secs_f64()
            ));
            last_state = stand;
        }
        match state {
            "completed" => {
                task.done();
                return Ok(());
            }
            "failed" | "cancelled" => {
                task.failed();
                bail!("the job ended as {state}: {}", lease["ending"]);
            }
            _ => {}
        }
        if begun.elapsed() > JOB_WITHIN {
            task.failed();
            bail!(
                "the job did not end within {} s; it waits for: {}",
                JOB_WITHIN.as_secs(),
                view["waiting_for"]
            );
        }
        if let Ok(status) = parties.sublet_json(["status"]) {
            task.note(&line(&status, &lease));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn view(parties: &Parties, job: &str) -> anyhow::Result<Value> {
    let list = parties.market_json(["ps"], None)?;
    let jobs = list
        .as_array()
        .or_else(|| list["jobs"].as_array())
        .context("`ps --json` gave no list")?;
    jobs.iter()
        .find(|view| view["job"] == job)
        .cloned()
        .with_context(|| format!("the marketplace does not list job {job}"))
}

/// One line of live figures: progress, time, money, and the GPU's sensors where it has any.
fn line(status: &Value, lease: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(permille) = lease["progress_permille"].as_u64() {
        parts.push(format!("{:.1} %", permille as f64 / 10.0));
    }
    if let Some(ours) = status["leases"]
        .as_array()
        .and_then(|leases| leases.first())
    {
        let used = ours["used_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
        let earned = ours["earned"].as_u64().unwrap_or(0) as f64 / 1e6;
        parts.push(format!("{used:.1} s used"));
        parts.push(format!("${earned:.6} earned"));
    }
    let telemetry = &status["gpus"][0]["telemetry"];
    for (key, unit) in [("temperature_c", "°C"), ("load_percent", "% load")] {
        if let Some(value) = telemetry[key].as_u64() {
            parts.push(format!("{value} {unit}"));
        }
    }
    if let Some(power) = telemetry["power_mw"].as_u64() {
        parts.push(format!("{} W", power / 1000));
    }
    parts.join(" · ")
}

/// Waits until the marketplace has sent its last voucher and the agent has closed the lease.
pub fn until_settled(parties: &Parties) -> anyhow::Result<()> {
    wait_until("the last voucher", SETTLED_WITHIN, || {
        let status = parties.sublet_json(["status"])?;
        let wallet = parties.sublet_json(["wallet"])?;
        let open = status["leases"]
            .as_array()
            .is_none_or(|leases| !leases.is_empty());
        Ok((!open && wallet["unproven"] == 0 && wallet["voucher"].is_object()).then_some(()))
    })
}
