//! Whether the network in use is metered, by NetworkManager's word. Where it does not run, nothing marks networks.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use zbus::Connection;
use zbus::zvariant::Value;

use crate::sensors::bus;

const SERVICE: &str = "org.freedesktop.NetworkManager";
const PATH: &str = "/org/freedesktop/NetworkManager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// After a bus that went away.
const PAUSE: Duration = Duration::from_secs(5);

/// The newest answer; absent while it cannot be had.
pub(super) fn follow(address: Option<String>) -> watch::Receiver<Option<bool>> {
    let Some(address) = address else {
        return watch::channel(Some(false)).1;
    };
    let (tell, metered) = watch::channel(None);
    tokio::spawn(async move {
        while !tell.is_closed() {
            if let Err(error) = listen(&address, &tell).await {
                tracing::debug!(%error, "the system bus does not tell whether the network is metered");
            }
            tell.send_replace(None);
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = tell.closed() => {}
            }
        }
    });
    metered
}

/// Until the bus goes away, or nobody wants to know any more.
async fn listen(address: &str, tell: &watch::Sender<Option<bool>>) -> zbus::Result<()> {
    let bus = bus::connect(address).await?;
    let mut owners = bus::owners(&bus, SERVICE).await?;
    let mut changes = bus::signals(&bus, PATH, PROPERTIES).await?;
    loop {
        tell.send_replace(ask(&bus).await?);
        let heard = tokio::select! {
            heard = owners.next() => heard,
            heard = changes.next() => heard,
            () = tell.closed() => return Ok(()),
        };
        let Some(heard) = heard else {
            return Ok(());
        };
        heard?;
    }
}

async fn ask(bus: &Connection) -> zbus::Result<Option<bool>> {
    let Some(owner) = bus::owner(bus, SERVICE).await? else {
        return Ok(Some(false));
    };
    let answer = bus::call(bus, &owner, PATH, PROPERTIES, "Get", &(SERVICE, "Metered")).await?;
    let body = answer.body();
    let metered: Value<'_> = body.deserialize()?;
    // NMMetered: 0 unknown, 1 yes, 2 no, 3 yes by a guess, 4 no by a guess. Unknown is what it says while there is no
    // network.
    Ok(u32::try_from(metered)
        .ok()
        .map(|metered| matches!(metered, 1 | 3)))
}
