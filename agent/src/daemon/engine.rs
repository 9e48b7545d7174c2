//! Keeps asking whether the container engine is there, and says when that changes.

use crate::sandbox::Sandbox;
use std::sync::Arc;
use std::time::Duration;
use sublet_protocol::offer::SandboxFacts;
use tokio::sync::watch;

/// How often it is asked while it answers, and while it does not.
const ASK_EVERY: Duration = Duration::from_secs(10);
const SEEK_EVERY: Duration = Duration::from_secs(2);

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
        /// What it enforces.
        facts: SandboxFacts,
        /// Thousandths of a core, and bytes of memory, that it may hand out.
        capacity: (u32, u64),
    },
}

/// Starts asking. The newest answer stands in the channel; it is told only when it changed.
pub fn follow() -> watch::Receiver<Engine> {
    let (tell, hear) = watch::channel(Engine::Unknown);
    tokio::spawn(async move {
        while !tell.is_closed() {
            let last = tell.borrow().clone();
            let next = ask(&last).await;
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

async fn ask(last: &Engine) -> Engine {
    let known = match last {
        Engine::Here { sandbox, .. } => Ok(sandbox.clone()),
        _ => Sandbox::connect().await.map(Arc::new),
    };
    let asked = async {
        let sandbox = known?;
        let facts = sandbox.facts().await?;
        let capacity = sandbox.capacity();
        Ok::<_, crate::sandbox::SandboxError>(Engine::Here {
            sandbox,
            facts,
            capacity: (capacity.cpu_milli, capacity.memory_bytes),
        })
    };
    asked
        .await
        .unwrap_or_else(|error| Engine::Away(error.to_string()))
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
