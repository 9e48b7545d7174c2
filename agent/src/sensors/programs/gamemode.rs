//! Games that say so themselves, to Feral's GameMode on the session bus. It is asked only while it runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use sublet_core::facts::{Program, ProgramKind};
use tokio::sync::watch;
use zbus::Connection;
use zbus::zvariant::OwnedObjectPath;

use super::Found;
use crate::sensors::{bus, process};

const SERVICE: &str = "com.feralinteractive.GameMode";
const PATH: &str = "/com/feralinteractive/GameMode";
/// After a bus that went away.
const PAUSE: Duration = Duration::from_secs(30);

/// The games that registered, by their processes. Without a bus there are none.
pub(super) fn follow(address: Option<String>, proc: PathBuf) -> watch::Receiver<Vec<Found>> {
    let (tell, games) = watch::channel(Vec::new());
    if let Some(address) = address {
        tokio::spawn(async move {
            while !tell.is_closed() {
                if let Err(error) = listen(&address, &proc, &tell).await {
                    tracing::debug!(%error, "the session bus does not tell of games");
                }
                tell.send_if_modified(|games| !std::mem::take(games).is_empty());
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = tell.closed() => {}
                }
            }
        });
    }
    games
}

/// Until the bus goes away, or nobody wants to know any more.
async fn listen(address: &str, proc: &Path, tell: &watch::Sender<Vec<Found>>) -> zbus::Result<()> {
    let bus = bus::connect(address).await?;
    let mut owners = bus::owners(&bus, SERVICE).await?;
    let mut signals = bus::signals(&bus, PATH, SERVICE).await?;
    loop {
        let games = list(&bus, proc).await?;
        tell.send_if_modified(|known| {
            let changed = *known != games;
            *known = games;
            changed
        });
        let heard = tokio::select! {
            heard = owners.next() => heard,
            heard = signals.next() => heard,
            () = tell.closed() => return Ok(()),
        };
        let Some(heard) = heard else {
            return Ok(());
        };
        heard?;
    }
}

async fn list(bus: &Connection, proc: &Path) -> zbus::Result<Vec<Found>> {
    let Some(owner) = bus::owner(bus, SERVICE).await? else {
        return Ok(Vec::new());
    };
    match bus::call(bus, &owner, PATH, SERVICE, "ListGames", &()).await {
        Ok(answer) => {
            let listed: Vec<(i32, OwnedObjectPath)> = answer.body().deserialize()?;
            let pids = listed
                .into_iter()
                .filter_map(|(pid, _)| u32::try_from(pid).ok());
            Ok(pids.map(|pid| found(pid, proc)).collect())
        }
        // Older ones only count their games; and one that has just gone has none.
        Err(zbus::Error::MethodError(..)) => count(bus, &owner).await,
        Err(error) => Err(error),
    }
}

async fn count(bus: &Connection, owner: &str) -> zbus::Result<Vec<Found>> {
    const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
    let asked = (SERVICE, "ClientCount");
    let answer = match bus::call(bus, owner, PATH, PROPERTIES, "Get", &asked).await {
        Ok(answer) => answer,
        Err(zbus::Error::MethodError(..)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let body = answer.body();
    let count: zbus::zvariant::Value<'_> = body.deserialize()?;
    let any = i32::try_from(count).is_ok_and(|count| count > 0);
    Ok(any.then(|| game(0, None)).into_iter().collect())
}

fn found(pid: u32, proc: &Path) -> Found {
    let name = process::look(proc, pid).map(|process| process.name());
    game(pid, name.filter(|name| !name.is_empty()))
}

fn game(pid: u32, name: Option<String>) -> Found {
    Found {
        pid,
        program: Program {
            name: name.unwrap_or_else(|| "A game".to_owned()),
            kind: ProgramKind::Game,
        },
    }
}
