//! What the doctor can only ask of an agent that runs.

use crate::store::StoreError;
use crate::wallet::Audit;
use sublet_core::Facts;
use sublet_core::facts::GpuProblem;
use sublet_protocol::local::{Check, Verdict};

/// Seen from inside.
pub struct Inside {
    /// What the core decides on.
    pub facts: Facts,
    /// What could not be looked at when the agent started.
    pub problems: Vec<String>,
    /// Where the marketplace is.
    pub market_url: String,
    /// The ledger's own sums.
    pub audit: Result<Audit, StoreError>,
    /// Where the keys are kept, in words.
    pub keys_in: String,
}

/// The checks, in order.
pub fn checks(inside: &Inside) -> Vec<Check> {
    let mut checks = vec![market(inside), ledger(inside), keys(inside)];
    checks.extend(settings(inside));
    checks.extend(inside.facts.gpus.iter().filter_map(|gpu| {
        let (verdict, found) = match gpu.problem.as_ref()? {
            GpuProblem::Lost(why) => (Verdict::Bad, why),
            GpuProblem::Unreadable(why) => (Verdict::Warning, why),
        };
        Some(check(
            &gpu.info.name,
            verdict,
            found.clone(),
            "A GPU that cannot be watched is not rented.",
            Some("Restart the machine; if it stays so, install the driver anew."),
        ))
    }));
    checks.extend(inside.problems.iter().map(|problem| {
        check(
            "Graphics driver",
            Verdict::Warning,
            problem.clone(),
            "Every adapter is looked at once, when the agent starts.",
            Some("Mend what it names, then restart the agent."),
        )
    }));
    checks
}

fn market(inside: &Inside) -> Check {
    let market = &inside.facts.market;
    let purpose = "Jobs and vouchers come from it.";
    if market.connected {
        return check(
            "Marketplace",
            Verdict::Good,
            format!("{} answers", inside.market_url),
            purpose,
            None,
        );
    }
    let problem = market.problem.clone();
    check(
        "Marketplace",
        Verdict::Bad,
        problem.unwrap_or_else(|| format!("{} has not answered yet", inside.market_url)),
        purpose,
        Some("Check the address and this machine's network; it is tried again by itself."),
    )
}

fn ledger(inside: &Inside) -> Check {
    let purpose = "What you earned is reckoned here, not believed.";
    match (&inside.facts.ledger_problem, &inside.audit) {
        (Some(problem), _) => check(
            "Ledger",
            Verdict::Bad,
            problem.clone(),
            purpose,
            Some("Free some disk space, or make the data folder writable."),
        ),
        (None, Err(error)) => check("Ledger", Verdict::Bad, error.to_string(), purpose, None),
        (None, Ok(audit)) if audit.holds() => check(
            "Ledger",
            Verdict::Good,
            "every sum agrees with its entries".to_owned(),
            purpose,
            None,
        ),
        (None, Ok(audit)) => check(
            "Ledger",
            Verdict::Bad,
            audit.problems.join("; "),
            purpose,
            Some("Keep a copy of the data folder, and report this."),
        ),
    }
}

fn keys(inside: &Inside) -> Check {
    check(
        "Keys",
        Verdict::Good,
        format!("kept in {}", inside.keys_in),
        "Your rig's identity and your payouts rest on them.",
        None,
    )
}

fn settings(inside: &Inside) -> Option<Check> {
    let problem = inside.facts.settings_problem.as_ref()?;
    Some(check(
        "Settings",
        Verdict::Bad,
        problem.clone(),
        "The last good ones stay in force, and nothing new is rented.",
        Some("Mend the file; it is read again by itself."),
    ))
}

fn check(
    name: &str,
    verdict: Verdict,
    found: String,
    purpose: &str,
    remedy: Option<&str>,
) -> Check {
    Check {
        name: name.to_owned(),
        verdict,
        found,
        purpose: purpose.to_owned(),
        remedy: remedy.map(str::to_owned),
    }
}
