//! Random histories on a real database: whatever happens in whatever order, the ledger's rules hold after each
//! step, no voucher would ever shrink, and saying something twice changes nothing.

use super::grant::{Match, grant};
use super::report::{self, Rules};
use super::stale::{self, Stale};
use super::{Lease, LeasedGpu};
use crate::db::{self, Tx};
use crate::fault::Fault;
use crate::ledger::audit::RULES;
use crate::ledger::book::{self, Account};
use crate::secret::Token;
use crate::{jobs, renters};
use proptest::prelude::*;
use sublet_protocol::heartbeat::LeaseReport;
use sublet_protocol::ids::{GpuId, JobId, LeaseId, RenterId, RigId};
use sublet_protocol::keys::sign;
use sublet_protocol::lease::{EndCode, Ending, LeaseState};
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::usage::SignedUsage;

#[derive(Debug, Clone)]
enum Step {
    TopUp {
        renter: usize,
        amount: u64,
    },
    Submit {
        renter: usize,
        price: u64,
        retries: u32,
    },
    Grant {
        job: usize,
        rig: usize,
        gpu: usize,
        fee: u16,
    },
    Report {
        lease: usize,
        state: LeaseState,
        more_ms: u64,
        code: EndCode,
    },
    Cancel {
        job: usize,
    },
    Stale {
        lease: usize,
        what: Stale,
    },
    Wait {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    use LeaseState::*;
    let state = prop::sample::select(vec![
        Accepted, Starting, Running, Running, Running, Paused, Uploading, Finished, Failed,
        Refused, Lost,
    ]);
    let code = prop::sample::select(vec![
        EndCode::Completed,
        EndCode::JobFailed,
        EndCode::Reclaimed,
        EndCode::OutOfFunds,
        EndCode::NotAccepted,
    ]);
    let what = prop::sample::select(vec![Stale::Lost, Stale::Unanswered, Stale::OutputsMissing]);
    prop_oneof![
        1 => (0..2usize, 0..5_000u64).prop_map(|(renter, amount)| Step::TopUp { renter, amount }),
        2 => (0..2usize, 0..4_000_000u64, 0..3u32).prop_map(|(renter, price, retries)| Step::Submit { renter, price, retries }),
        4 => (0..8usize, 0..2usize, 0..3usize, 0..=10_000u16).prop_map(|(job, rig, gpu, fee)| Step::Grant { job, rig, gpu, fee }),
        9 => (0..8usize, state, 0..40_000u64, code).prop_map(|(lease, state, more_ms, code)| Step::Report { lease, state, more_ms, code }),
        1 => (0..8usize).prop_map(|job| Step::Cancel { job }),
        1 => (0..8usize, what).prop_map(|(lease, what)| Step::Stale { lease, what }),
        3 => (1..60_000u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

struct World {
    tx: Tx,
    now: u64,
    renters: Vec<RenterId>,
    rigs: Vec<RigId>,
    jobs: Vec<(RenterId, JobId, u64)>,
    leases: Vec<(RigId, LeaseId)>,
}

async fn run_sql(tx: &mut Tx, sql: &'static str) {
    sqlx::query(sql).execute(&mut tx.conn).await.unwrap();
}

impl World {
    async fn new(folder: &std::path::Path) -> Self {
        let mut tx = Tx::over(db::open(&folder.join("market.sqlite")).await.unwrap());
        let (mut people, mut rigs) = (Vec::new(), Vec::new());
        // It is thrown away: no need to wait for the disk.
        run_sql(&mut tx, "PRAGMA synchronous = OFF").await;
        for n in 0..2 {
            let renter = RenterId::new(format!("renter-{n}")).unwrap();
            let token = Token::new("renter").unwrap();
            renters::set_token(&mut tx, &renter, &token, 0)
                .await
                .unwrap();
            people.push(renter);
            let rig = RigId::new(format!("rig-{n}")).unwrap();
            sqlx::query(
                "INSERT INTO rigs (id, key, epoch, agent, opened_ms) VALUES (?, '', 1, '', 0)",
            )
            .bind(rig.as_str())
            .execute(&mut tx.conn)
            .await
            .unwrap();
            rigs.push(rig);
        }
        Self {
            tx,
            now: 1_000_000,
            renters: people,
            rigs,
            jobs: Vec::new(),
            leases: Vec::new(),
        }
    }

    fn job(&self, n: usize) -> Option<(RenterId, JobId, u64)> {
        (!self.jobs.is_empty()).then(|| self.jobs[n % self.jobs.len()].clone())
    }

    fn lease(&self, n: usize) -> Option<(RigId, LeaseId)> {
        (!self.leases.is_empty()).then(|| self.leases[n % self.leases.len()].clone())
    }

    /// Takes a step; a refusal is an answer like any other.
    async fn take(&mut self, step: Step) -> Result<(), Fault> {
        let now = self.now;
        match step {
            Step::Wait { ms } => self.now += ms,
            Step::TopUp { renter, amount } => {
                let renter = self.renters[renter].clone();
                renters::top_up(&mut self.tx, &renter, MicroUsd(amount), now).await?;
            }
            Step::Submit {
                renter,
                price,
                retries,
            } => {
                let renter = self.renters[renter].clone();
                let yaml = format!(
                    "services:\n  a:\n    image: r.test/a@sha256:{}\n    x-sublet:\n      max_price_per_hour: {}\n      retries: {retries}\n      deadline: 90s\n",
                    "0".repeat(64),
                    MicroUsd(price)
                );
                let spec = sublet_protocol::job::parse(&yaml).unwrap();
                let job = jobs::submit(&mut self.tx, &renter, &spec, now).await?;
                self.jobs.push((renter, job, price));
            }
            Step::Grant { job, rig, gpu, fee } => {
                let Some((_, job, price)) = self.job(job) else {
                    return Ok(());
                };
                let found = Match {
                    job,
                    rig: self.rigs[rig].clone(),
                    gpus: vec![LeasedGpu {
                        id: GpuId::new(format!("gpu-{gpu}")).unwrap(),
                        name: "A".into(),
                    }],
                    price: HourlyPrice(MicroUsd(price)),
                };
                let fee = BasisPoints::new(fee).unwrap();
                if let Some(lease) = grant(&mut self.tx, &found, fee, 30_000, now).await? {
                    self.leases.push((found.rig, lease));
                }
            }
            Step::Report {
                lease,
                state,
                more_ms,
                code,
            } => {
                let Some((rig, lease)) = self.lease(lease) else {
                    return Ok(());
                };
                let before = Lease::of_rig(&mut self.tx.conn, &rig, &lease)
                    .await?
                    .unwrap();
                let report = said(&lease, state, before.used_ms + more_ms, code);
                let rules = Rules { ahead_ms: 30_000 };
                report::take(&mut self.tx, &rig, &report, rules, now).await?;
                // The reply got lost, and the rig says it again.
                let once = self.money().await;
                let stored = Lease::of_rig(&mut self.tx.conn, &rig, &lease).await?;
                let again = report::take(&mut self.tx, &rig, &report, rules, now).await;
                assert!(again.is_ok(), "{again:?}");
                let spent = |money: &Money| (money.0.clone(), money.1);
                assert_eq!(spent(&self.money().await), spent(&once));
                let again = Lease::of_rig(&mut self.tx.conn, &rig, &lease)
                    .await?
                    .unwrap();
                let stored = stored.unwrap();
                assert_eq!(
                    (again.used_ms, again.charge.gross >= stored.charge.gross),
                    (stored.used_ms, true)
                );
            }
            Step::Cancel { job } => {
                let Some((renter, job, _)) = self.job(job) else {
                    return Ok(());
                };
                jobs::cancel(&mut self.tx, &renter, &job, now).await?;
            }
            Step::Stale { lease, what } => {
                let Some((rig, lease)) = self.lease(lease) else {
                    return Ok(());
                };
                let found = Lease::of_rig(&mut self.tx.conn, &rig, &lease)
                    .await?
                    .unwrap();
                if what != Stale::OutputsMissing || found.state == LeaseState::Finished {
                    stale::end(&mut self.tx, &rig, &lease, what, now).await?;
                }
            }
        }
        Ok(())
    }

    async fn money(&mut self) -> Money {
        let mut owed = Vec::new();
        for rig in &self.rigs {
            owed.push(
                book::holds(&mut self.tx.conn, Account::Rig(rig))
                    .await
                    .unwrap(),
            );
        }
        let fees = book::holds(&mut self.tx.conn, Account::Fees).await.unwrap();
        Money(owed, fees)
    }

    async fn check(&mut self, after: &str) {
        for (rule, query) in RULES {
            let broken: Vec<String> = sqlx::query_scalar(*query)
                .fetch_all(&mut self.tx.conn)
                .await
                .unwrap();
            assert!(broken.is_empty(), "after {after}: {rule}: {broken:?}");
        }
    }
}

/// What each rig is owed, and the fees.
#[derive(Debug)]
struct Money(Vec<MicroUsd>, MicroUsd);

fn said(lease: &LeaseId, state: LeaseState, used_ms: u64, code: EndCode) -> LeaseReport {
    // Signatures are checked before a report gets here.
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    LeaseReport {
        lease: lease.clone(),
        state,
        usage: SignedUsage {
            used_ms,
            signature: sign(&key, "usage", &[]),
        },
        progress_permille: None,
        ending: state.is_over_for_rig().then(|| Ending {
            code,
            exit_code: None,
            message: String::new(),
            outputs: Vec::new(),
        }),
        checkpoint: None,
        transfer: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_rules_of_the_ledger_hold_after_every_step(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut world = World::new(folder.path()).await;
            // Every history begins with some life in it.
            let begin = [
                Step::TopUp { renter: 0, amount: 5_000 },
                Step::Submit { renter: 0, price: 360_000, retries: 2 },
                Step::Grant { job: 0, rig: 0, gpu: 0, fee: 500 },
            ];
            let mut owed = world.money().await.0;
            for step in begin.into_iter().chain(steps) {
                let told = format!("{step:?}");
                run_sql(&mut world.tx, "BEGIN IMMEDIATE").await;
                match world.take(step).await {
                    Ok(()) => run_sql(&mut world.tx, "COMMIT").await,
                    Err(Fault::Refused(_)) => run_sql(&mut world.tx, "ROLLBACK").await,
                    Err(other) => panic!("after {told}: {other}"),
                }
                world.check(&told).await;
                let now = world.money().await.0;
                assert!(now.iter().zip(&owed).all(|(now, before)| now >= before), "{told}: {now:?} after {owed:?}");
                owed = now;
            }
        });
    }
}
