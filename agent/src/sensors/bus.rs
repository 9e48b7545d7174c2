//! The little of D-Bus that sensors need: to ask a service that runs, and never to start one that does not.

use std::time::Duration;

use zbus::connection::{Builder, Connection};
use zbus::zvariant::DynamicType;
use zbus::{MatchRule, Message, MessageStream};

/// How long a service may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// Where the session bus of whoever runs the agent is, if they have one.
pub(super) fn session_address() -> Option<String> {
    let named = std::env::var("DBUS_SESSION_BUS_ADDRESS");
    if let Ok(address) = named
        && !address.is_empty()
    {
        return Some(address);
    }
    let socket = std::path::PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?).join("bus");
    socket
        .exists()
        .then(|| format!("unix:path={}", socket.display()))
}

/// Where the machine's bus is, if there is one.
pub(super) fn system_address() -> Option<String> {
    let named = std::env::var("DBUS_SYSTEM_BUS_ADDRESS");
    if let Ok(address) = named
        && !address.is_empty()
    {
        return Some(address);
    }
    let socket = std::path::Path::new("/run/dbus/system_bus_socket");
    socket
        .exists()
        .then(|| format!("unix:path={}", socket.display()))
}

/// Connects. To be called within a tokio runtime.
pub(super) async fn connect(address: &str) -> zbus::Result<Connection> {
    within(async { Builder::address(address)?.build().await }).await
}

/// The unique name of whoever has the name `service`, if anybody has. A call to the unique name starts nothing.
pub(super) async fn owner(bus: &Connection, service: &str) -> zbus::Result<Option<String>> {
    match call(bus, BUS, BUS_PATH, BUS, "GetNameOwner", &service).await {
        Ok(answer) => Ok(Some(answer.body().deserialize()?)),
        Err(zbus::Error::MethodError(name, ..))
            if name == "org.freedesktop.DBus.Error.NameHasNoOwner" =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Calls a method and waits for its answer, but not for ever.
pub(super) async fn call<B>(
    bus: &Connection,
    to: &str,
    path: &str,
    interface: &str,
    method: &str,
    body: &B,
) -> zbus::Result<Message>
where
    B: serde::Serialize + DynamicType,
{
    within(bus.call_method(Some(to), path, Some(interface), method, body)).await
}

/// Hears whenever the name `service` gets or loses its owner.
pub(super) async fn owners(bus: &Connection, service: &str) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(BUS)?
        .interface(BUS)?
        .member("NameOwnerChanged")?
        .arg(0, service)?
        .build();
    within(MessageStream::for_match_rule(rule, bus, Some(4))).await
}

/// Hears the signals of an object.
pub(super) async fn signals(
    bus: &Connection,
    path: &str,
    interface: &str,
) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .path(path)?
        .interface(interface)?
        .build();
    within(MessageStream::for_match_rule(rule, bus, Some(16))).await
}

async fn within<T>(asked: impl Future<Output = zbus::Result<T>>) -> zbus::Result<T> {
    tokio::time::timeout(ANSWER_WITHIN, asked)
        .await
        .unwrap_or_else(|_| {
            Err(zbus::Error::Failure(format!(
                "no answer within {} s",
                ANSWER_WITHIN.as_secs()
            )))
        })
}
