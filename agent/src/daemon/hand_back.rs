//! What is done to a GPU itself: its memory is watched until it is free, and its power limit is set and put back.

use super::machine::Machine;
use super::work::Tools;
use crate::rehearsal;
use crate::sensors::{FreeOutcome, FreeWanted, GpuWatch};
use std::sync::Arc;
use std::time::Duration;
use sublet_core::Effect;
use sublet_core::custody::{Held, Holder};
use sublet_core::event::GpuNews;
use sublet_core::facts::GpuUser;
use sublet_protocol::ids::GpuId;

/// Begins what an effect asks of a GPU; hands back an effect that asks nothing of one. A GPU that nobody reads can neither be
/// verified nor changed: it is told so.
pub fn begin(effect: Effect, machine: &Machine, tools: &Tools) -> Option<Effect> {
    let name = rehearsal::effect(&effect);
    let (gpu, task) = match effect {
        Effect::AwaitFree {
            gpu,
            lease,
            at_most_bytes,
            within_ms,
        } => {
            let wanted = FreeWanted {
                at_most_bytes: at_most_bytes.unwrap_or(u64::MAX),
                pids: Vec::new(),
                containers: machine.ours.of(&lease),
            };
            (gpu, Task::Await(wanted, Duration::from_millis(within_ms)))
        }
        Effect::SetPowerLimit { gpu, limit_mw } => (gpu, Task::Limit(limit_mw)),
        Effect::RestorePowerLimit { gpu, limit_mw } => (gpu, Task::Restore(limit_mw)),
        other => return Some(other),
    };
    let card = machine
        .gpu(&gpu)
        .and_then(|found| found.card.as_ref())
        .map(|card| card.uuid.clone());
    let watch = machine.watch().cloned();
    let tools = tools.clone();
    tokio::spawn(async move {
        let news = match (watch, card) {
            (Some(watch), Some(uuid)) => carry_out(&watch, &gpu, &uuid, task).await,
            _ => unread(&task, "nothing reads it"),
        };
        rehearsal::done(name);
        tools.tell_gpu(gpu, news).await;
    });
    None
}

enum Task {
    Await(FreeWanted, Duration),
    Limit(u32),
    Restore(u32),
}

fn unread(task: &Task, why: &str) -> GpuNews {
    let why = why.to_owned();
    match task {
        Task::Await(..) => GpuNews::Unread { why },
        Task::Limit(_) | Task::Restore(_) => GpuNews::LimitRefused { why },
    }
}

async fn carry_out(watch: &Arc<GpuWatch>, gpu: &GpuId, uuid: &str, task: Task) -> GpuNews {
    match task {
        Task::Await(wanted, within) => match watch.await_free(uuid, wanted, within).await {
            FreeOutcome::Free { after, .. } => {
                let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                tracing::info!(%gpu, after_ms, "the GPU's memory is free of the job");
                GpuNews::Freed { after_ms }
            }
            FreeOutcome::Held {
                held_bytes,
                suspects,
                holders,
                ..
            } => {
                tracing::warn!(%gpu, held_bytes, ?holders, "memory of a job that ended is still held");
                GpuNews::Held(Held {
                    bytes: held_bytes,
                    by: suspects.into_iter().map(holder).collect(),
                })
            }
            FreeOutcome::Unknown(error) => {
                tracing::warn!(%gpu, %error, "whether the memory of a job that ended is free cannot be read");
                let why = error.to_string();
                GpuNews::Unread { why }
            }
        },
        Task::Limit(limit_mw) => match watch.set_power_limit(uuid, limit_mw).await {
            Ok(in_force_mw) => {
                tracing::info!(%gpu, limit_mw, in_force_mw, "the power limit is lowered to hold the temperature");
                GpuNews::LimitSet
            }
            Err(error) => refused(gpu, limit_mw, &error.to_string()),
        },
        Task::Restore(limit_mw) => match watch.set_power_limit(uuid, limit_mw).await {
            Ok(in_force_mw) => {
                tracing::info!(%gpu, limit_mw, in_force_mw, "the power limit is put back");
                GpuNews::LimitRestored
            }
            Err(error) => refused(gpu, limit_mw, &error.to_string()),
        },
    }
}

fn refused(gpu: &GpuId, limit_mw: u32, why: &str) -> GpuNews {
    tracing::warn!(%gpu, limit_mw, why, "the power limit could not be set");
    GpuNews::LimitRefused {
        why: why.to_owned(),
    }
}

fn holder(user: GpuUser) -> Holder {
    Holder {
        name: user.name,
        pid: user.pid,
        bytes: user.memory_bytes,
    }
}
