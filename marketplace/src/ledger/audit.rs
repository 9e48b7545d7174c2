//! What must hold of the ledger at any moment, as queries that name whatever breaks it. Tests run them after every
//! step of random histories and after every crash; an operator can run them on a copy of the database.

/// Each rule in words, and the query that finds what breaks it.
pub const RULES: &[(&str, &str)] = &[
    (
        "every entry adds up to zero",
        "SELECT 'entry ' || entry FROM postings GROUP BY entry HAVING sum(amount) <> 0",
    ),
    (
        "an account is the sum of its postings",
        "SELECT a.name FROM accounts a
         WHERE a.amount <> (SELECT coalesce(sum(p.amount), 0) FROM postings p WHERE p.account = a.name)",
    ),
    (
        "what a renter has free, set aside and spent is what was paid in",
        "SELECT r.id FROM renters r WHERE
           (SELECT coalesce(sum(amount), 0) FROM accounts WHERE name IN ('renter/' || r.id || '/free', 'renter/' || r.id || '/reserved'))
         + (SELECT coalesce(sum(gross), 0) FROM leases WHERE renter = r.id)
        <> (SELECT coalesce(sum(p.amount), 0) FROM postings p JOIN entries e ON e.id = p.entry
            WHERE e.kind = 'topup' AND p.account = 'renter/' || r.id || '/free')",
    ),
    (
        "what is set aside belongs to open leases, to the last micro-USD",
        "SELECT r.id FROM renters r WHERE
           (SELECT coalesce(sum(amount), 0) FROM accounts WHERE name = 'renter/' || r.id || '/reserved')
        <> (SELECT coalesce(sum(reserved - gross), 0) FROM leases WHERE renter = r.id AND closed = 0)",
    ),
    (
        "what a rig is owed is what its leases earned after fees",
        "SELECT r.id FROM rigs r WHERE
           (SELECT coalesce(sum(amount), 0) FROM accounts WHERE name = 'rig/' || r.id)
        <> (SELECT coalesce(sum(gross - fee), 0) FROM leases WHERE rig = r.id)",
    ),
    (
        "the house has the fees of all leases",
        "SELECT 'fees' WHERE
           (SELECT coalesce(sum(amount), 0) FROM accounts WHERE name = 'fees')
        <> (SELECT coalesce(sum(fee), 0) FROM leases)",
    ),
    (
        "no lease costs more than was set aside for it",
        "SELECT id FROM leases WHERE gross > reserved OR fee > gross OR paid_ms > used_ms",
    ),
    (
        "a job is on a rig exactly while it has one open lease",
        "SELECT j.id FROM jobs j WHERE
           (SELECT count(*) FROM leases l WHERE l.job = j.id AND l.closed = 0) <> (j.state = 'leased')",
    ),
];

/// What breaks a rule, each in words.
///
/// # Errors
/// The database does not answer.
pub async fn faults(books: &sqlx::SqlitePool) -> Result<Vec<String>, sqlx::Error> {
    let mut faults = Vec::new();
    for (rule, query) in RULES {
        let broken: Vec<String> = sqlx::query_scalar(*query).fetch_all(books).await?;
        faults.extend(
            broken
                .iter()
                .map(|what| format!("{rule}: not so for {what}")),
        );
    }
    Ok(faults)
}
