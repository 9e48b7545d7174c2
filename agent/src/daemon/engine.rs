//! Keeps asking whether the container engine is there, and says when that changes. One that comes, or that says
//! another thing of itself than before, is measured before anything runs on it.

use crate::sandbox::{EngineSays, Sandbox, SandboxError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use sublet_protocol::offer::{Enforced, SandboxFacts};
use tokio::sync::watch;

/// How often it is asked while it answers, and while it does not.
const ASK_EVERY: Duration = Duration::from_secs(10);
const SEEK_EVERY: Duration = Duration::from_secs(2);
/// An engine on which a job would not be held in is measured again after so long.
const MEASURE_AGAIN: Duration = Duration::from_secs(60);

/// How the container engine stands.
#[derive(Clone)]
pub enum Engine {
    /// Not asked yet.
    Unknown,
    /// It does not answer, and why.
    Away(String),
    /// It answers.
    Here {
        /// The way to it.
        sandbox: Arc<Sandbox>,
        /// What it says of itself, and what was measured.
        facts: SandboxFacts,
        /// Thousandths of a core, and bytes of memory, that it may hand out.
        capacity: (u32, u64),
    },
}

/// Starts asking. The newest answer stands in the channel; it is told only when it changed.
pub fn follow() -> watch::Receiver<Engine> {
    let (tell, hear) = watch::channel(Engine::Unknown);
    tokio::spawn(async move {
        let mut asking = Asking::default();
        while !tell.is_closed() {
            let next = asking.ask().await;
            let next = next.unwrap_or_else(Engine::Away);
            let pause = match &next {
                Engine::Here { .. } => ASK_EVERY,
                _ => SEEK_EVERY,
            };
            tell.send_if_modified(|last| {
                let changed = differ(last, &next);
                if changed {
                    *last = next;
                }
                changed
            });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = tell.closed() => {}
            }
        }
    });
    hear
}

/// What is known from one question to the next.
#[derive(Default)]
struct Asking {
    sandbox: Option<Arc<Sandbox>>,
    measured: Option<Measured>,
}

/// What was found of an engine that said this of itself.
struct Measured {
    says: EngineSays,
    found: Enforced,
    at: Instant,
}

impl Asking {
    async fn ask(&mut self) -> Result<Engine, String> {
        match self.ask_all().await {
            Ok(engine) => engine,
            Err(error) => {
                // It may be another one that comes back.
                *self = Self::default();
                Err(error.to_string())
            }
        }
    }

    async fn ask_all(&mut self) -> Result<Result<Engine, String>, SandboxError> {
        let sandbox = match &self.sandbox {
            Some(known) => known.clone(),
            None => Arc::new(Sandbox::connect().await?),
        };
        let says = sandbox.says().await?;
        let known = self.measured.take().filter(|known| {
            known.says == says && (known.found.holds() || known.at.elapsed() < MEASURE_AGAIN)
        });
        let known = match known {
            Some(known) => known,
            None => {
                let found = sandbox.probe(&says).await?;
                tracing::info!(
                    engine = says.facts.engine,
                    ?found,
                    "what holds a job in was measured"
                );
                Measured {
                    says,
                    found,
                    at: Instant::now(),
                }
            }
        };
        let engine = here(&sandbox, &known);
        self.sandbox = Some(sandbox);
        self.measured = Some(known);
        Ok(engine)
    }
}

/// An engine on which a job is not held in is as good as none.
fn here(sandbox: &Arc<Sandbox>, known: &Measured) -> Result<Engine, String> {
    if !known.found.holds() {
        return Err(format!(
            "Docker answers, but a job would not be held in: {}. `sublet doctor` says what to do",
            known.found.gaps.join("; ")
        ));
    }
    let capacity = sandbox.capacity();
    Ok(Engine::Here {
        sandbox: sandbox.clone(),
        facts: SandboxFacts {
            enforced: Some(known.found.clone()),
            ..known.says.facts.clone()
        },
        capacity: (capacity.cpu_milli, capacity.memory_bytes),
    })
}

fn differ(a: &Engine, b: &Engine) -> bool {
    match (a, b) {
        (Engine::Unknown, Engine::Unknown) => false,
        (Engine::Away(a), Engine::Away(b)) => a != b,
        (
            Engine::Here {
                facts: a,
                capacity: m,
                ..
            },
            Engine::Here {
                facts: b,
                capacity: n,
                ..
            },
        ) => a != b || m != n,
        _ => true,
    }
}
