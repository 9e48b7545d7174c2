//! What the doctor can only ask of an agent that runs.

use crate::doctor::{Finding, check};
use crate::store::StoreError;
use crate::wallet::Audit;
use sublet_core::Facts;
use sublet_core::facts::GpuProblem;
use sublet_protocol::local::Check;

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
        const REMEDY: &str = "Restart the machine; if it stays so, install the driver anew.";
        let (finding, why) = match gpu.problem.as_ref()? {
            GpuProblem::Lost(why) => (Finding::bad("gpu_lost", why, REMEDY), why),
            GpuProblem::Unreadable(why) => (Finding::warning("gpu_unreadable", why, REMEDY), why),
        };
        Some(check(
            &gpu.info.name,
            "A GPU that cannot be watched is not rented.",
            finding.name("gpu", &gpu.info.name).name("problem", why),
        ))
    }));
    checks.extend(inside.problems.iter().map(|problem| {
        check(
            "Graphics driver",
            "Every adapter is looked at once, when the agent starts.",
            Finding::warning(
                "driver_problem",
                problem,
                "Mend what it names, then restart the agent.",
            )
            .name("problem", problem),
        )
    }));
    checks
}

fn market(inside: &Inside) -> Check {
    const REMEDY: &str =
        "Check the address and this machine's network; it is tried again by itself.";
    let (market, url) = (&inside.facts.market, &inside.market_url);
    let finding = match &market.problem {
        _ if market.connected => Finding::good("market_good", format!("{url} answers.")),
        Some(problem) => Finding::bad("market_away", problem, REMEDY).name("problem", problem),
        None => Finding::bad(
            "market_away",
            format!("{url} has not answered yet."),
            REMEDY,
        ),
    };
    let purpose = "Jobs and vouchers come from it.";
    check("Marketplace", purpose, finding.name("url", url))
}

fn ledger(inside: &Inside) -> Check {
    let finding = match (&inside.facts.ledger_problem, &inside.audit) {
        (Some(problem), _) => Finding::bad(
            "ledger_unwritable",
            problem,
            "Free some disk space, or make the data folder writable.",
        )
        .name("problem", problem),
        (None, Err(error)) => {
            let problem = error.to_string();
            let remedy = "Look at the disk that holds the data folder, then restart the agent.";
            Finding::bad("ledger_unreadable", &problem, remedy).name("problem", problem)
        }
        (None, Ok(audit)) if audit.holds() => {
            Finding::good("ledger_good", "Every sum agrees with its entries.")
        }
        (None, Ok(audit)) => {
            let problem = audit.problems.join("; ");
            let remedy = "Keep a copy of the data folder, and report this.";
            Finding::bad("ledger_wrong", &problem, remedy).name("problem", problem)
        }
    };
    let purpose = "What you earned is reckoned here, not believed.";
    check("Ledger", purpose, finding)
}

fn keys(inside: &Inside) -> Check {
    let place = &inside.keys_in;
    check(
        "Keys",
        "Your rig's identity and your payouts rest on them.",
        Finding::good("keys_kept", format!("Kept in {place}.")).name("place", place),
    )
}

fn settings(inside: &Inside) -> Option<Check> {
    let problem = inside.facts.settings_problem.as_ref()?;
    Some(check(
        "Settings",
        "The last good ones stay in force, and nothing new is rented.",
        Finding::bad(
            "settings_unreadable",
            problem,
            "Mend the file; it is read again by itself.",
        )
        .name("problem", problem),
    ))
}
