//! Native notifications: what happened between two looks at the agent, as far as the owner wants to hear it.

use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Method;
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::local::{Jobs, LeaseView, Status};
use sublet_protocol::reason::{ReasonCode, RigState};
use tauri::{AppHandle, Manager};
use tokio::sync::watch;

use crate::agent::Agent;
use crate::preferences::{Kept, Notices};
use crate::watch::Seen;
use crate::words::{Words, with};

/// One notification.
#[derive(Debug, PartialEq, Eq)]
struct Notice {
    title: String,
    body: String,
}

/// Whether the desktop refused a notification; that is told once.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether the desktop shows notifications, as far as is known.
pub fn are_shown() -> bool {
    !REFUSED.load(Ordering::Relaxed)
}

/// Shows a notification now, and waits until the desktop has taken it.
///
/// # Errors
/// What the desktop says.
pub fn show(title: &str, body: &str) -> Result<(), notify_rust::error::Error> {
    let mut notification = notify_rust::Notification::new();
    notification
        .appname("Sublet")
        .summary(title)
        .body(&escaped(body));
    #[cfg(target_os = "linux")]
    notification.icon("sublet");
    #[cfg(windows)]
    notification.app_id("org.sublet.desktop");
    notification.show().map(drop)
}

/// On Linux a body may hold markup, and a job's name is a stranger's.
#[cfg(target_os = "linux")]
fn escaped(body: &str) -> String {
    body.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(not(target_os = "linux"))]
fn escaped(body: &str) -> String {
    body.to_owned()
}

/// Shows a notification as soon as it can be. Where the desktop has no place for it, the log says so once.
pub fn show_soon(title: String, body: String) {
    tauri::async_runtime::spawn_blocking(move || match show(&title, &body) {
        Ok(()) => REFUSED.store(false, Ordering::Relaxed),
        Err(error) => {
            if !REFUSED.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "this desktop shows no notifications; the window tells the same");
            }
        }
    });
}

/// Shows notifications for as long as the shell runs.
pub fn tell(app: &AppHandle, mut seen: watch::Receiver<Seen>) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let mut before: Option<std::sync::Arc<Status>> = None;
        while seen.changed().await.is_ok() {
            let Some(after) = seen.borrow_and_update().status.clone() else {
                continue;
            };
            if let Some(before) = &before {
                let gone = gone(&app, before, &after).await;
                let kept = app.state::<Kept>();
                for notice in since(before, &after, &gone, kept.notices(), kept.words()) {
                    show_soon(notice.title, notice.body);
                }
            }
            before = Some(after);
        }
    });
}

/// Leases that ended and were settled between two looks are in the history alone.
async fn gone(app: &AppHandle, before: &Status, after: &Status) -> Vec<LeaseView> {
    let is_gone = |lease: &LeaseView| {
        lease.ending.is_none() && after.leases.iter().all(|new| new.lease != lease.lease)
    };
    let ids: Vec<_> = before
        .leases
        .iter()
        .filter(|lease| is_gone(lease))
        .collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let agent = app.state::<Agent>().inner().clone();
    let answer = match agent.call(Method::GET, "jobs", Vec::new()).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, "how a job ended could not be asked");
            return Vec::new();
        }
    };
    match serde_json::from_slice::<Jobs>(&answer.body) {
        Ok(jobs) => {
            let mut leases = jobs.leases;
            leases.retain(|lease| ids.iter().any(|old| old.lease == lease.lease));
            leases
        }
        Err(error) => {
            tracing::warn!(%error, "how a job ended could not be read");
            Vec::new()
        }
    }
}

/// What an owner may want to hear of the change from one status to the next.
fn since(
    before: &Status,
    after: &Status,
    gone: &[LeaseView],
    wanted: Notices,
    words: &Words,
) -> Vec<Notice> {
    let mut news = Vec::new();
    for lease in after.leases.iter().chain(gone) {
        let was = before.leases.iter().find(|old| old.lease == lease.lease);
        if was.is_none_or(|old| old.ending.is_none()) {
            news.extend(ended(lease, wanted, words));
        }
    }
    if wanted.hot {
        for gpu in &after.gpus {
            let hot = |status: &Status| {
                let gpu = status.gpus.iter().find(|old| old.info.id == gpu.info.id);
                let reasons = gpu.map(|gpu| gpu.reasons.as_slice()).unwrap_or_default();
                let hot = reasons
                    .iter()
                    .find(|reason| reason.code == ReasonCode::TooHot);
                hot.map(|reason| format!("{} {}", reason.text, reason.remedy))
            };
            if let (None, Some(reason)) = (hot(before), hot(after)) {
                news.push(Notice {
                    title: words.hot.to_owned(),
                    body: if words.agents {
                        reason
                    } else {
                        with(words.hot_body, &gpu.info.name)
                    },
                });
            }
        }
    }
    if wanted.needs_you && after.state == RigState::NeedsYou && before.state != RigState::NeedsYou {
        news.push(Notice {
            title: words.needs_you.to_owned(),
            body: if words.agents {
                after.sentence.clone()
            } else {
                words.needs_you_body.to_owned()
            },
        });
    }
    news
}

/// How a lease ended, where it did.
fn ended(lease: &LeaseView, wanted: Notices, words: &Words) -> Option<Notice> {
    let ending = lease.ending.as_ref()?;
    let earned = lease.earned.to_string();
    match ending.code {
        EndCode::Reclaimed if wanted.reclaimed => {
            let had = with(words.reclaimed_body, &earned);
            Some(Notice {
                title: words.reclaimed.to_owned(),
                body: if words.agents {
                    format!("{} {had}", ending.message)
                } else {
                    had
                },
            })
        }
        EndCode::Completed if wanted.paid && lease.state != LeaseState::Failed => Some(Notice {
            title: with(words.paid, &earned),
            body: with(words.paid_body, &lease.name),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;
    use serde_json::json;

    const ALL: Notices = Notices {
        paid: true,
        reclaimed: true,
        hot: true,
        needs_you: true,
    };

    fn status(state: &str, leases: serde_json::Value, reasons: serde_json::Value) -> Status {
        serde_json::from_value(json!({
            "sentence": "Something is so.",
            "state": state, "version": "0", "rig": "rig_0",
            "market": {"url": "", "connected": true, "last_answer_ms": null, "fee": null, "problem": null},
            "gpus": [{
                "info": {"id": "GPU-1", "name": "RTX 4090", "vendor": "nvidia", "software": false,
                    "memory_bytes": null, "driver": null, "pci": null, "score": null},
                "state": state, "reasons": reasons, "telemetry": null, "floor": 1
            }],
            "leases": leases, "pause": null, "today": 0, "sandbox": null
        }))
        .unwrap()
    }

    fn lease(state: &str, code: Option<&str>) -> serde_json::Value {
        let ending = code.map(|code| json!({"code": code, "exit_code": null, "message": "You are back.", "outputs": []}));
        json!([{
            "lease": "l1", "job": "j1", "name": "render", "image": "i", "gpus": ["GPU-1"], "state": state, "price": 1,
            "used_ms": 1, "earned": 40_000, "progress_permille": null, "granted_at_ms": 0, "ending": ending, "may_reach": []
        }])
    }

    fn titles(before: &Status, after: &Status, wanted: Notices) -> Vec<String> {
        since(before, after, &[], wanted, Words::of(Language::English))
            .into_iter()
            .map(|notice| notice.title)
            .collect()
    }

    #[test]
    fn each_event_is_told_once_and_only_where_it_is_wanted() {
        let running = status("renting", lease("running", None), json!([]));
        let reclaimed = status("yours", lease("finished", Some("reclaimed")), json!([]));
        assert_eq!(
            titles(&running, &reclaimed, ALL),
            ["Your GPU is yours again"]
        );
        assert!(titles(&reclaimed, &reclaimed, ALL).is_empty());
        assert!(titles(&running, &reclaimed, Notices::default()).is_empty());

        let paid = status("ready", lease("finished", Some("completed")), json!([]));
        assert_eq!(titles(&running, &paid, ALL), ["$0.04 earned"]);

        let hot = json!([{"code": "too_hot", "text": "RTX 4090 is at 84 °C.", "remedy": "Rents again below 76 °C."}]);
        let hot = status("waiting", json!([]), hot);
        let told = |language| {
            let words = Words::of(language);
            since(&running, &hot, &[], Notices::default(), words)
        };
        assert_eq!(
            told(Language::English)[0].body,
            "RTX 4090 is at 84 °C. Rents again below 76 °C."
        );
        assert_eq!(
            told(Language::German)[0].body,
            "RTX 4090 ruht, bis sie abgekühlt ist."
        );
        assert!(titles(&hot, &hot, ALL).is_empty());

        // Settled between two looks.
        let gone = status("ready", json!([]), json!([]));
        let news = since(
            &running,
            &gone,
            &paid.leases,
            ALL,
            Words::of(Language::English),
        );
        assert_eq!(news[0].title, "$0.04 earned");

        let stuck = status("needs_you", json!([]), json!([]));
        assert_eq!(titles(&running, &stuck, ALL), ["Sublet needs you"]);
    }
}
