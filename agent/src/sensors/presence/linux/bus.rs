//! A message bus. No answer takes longer than [`WITHIN`]; services that do not run are never started by asking.

use std::time::Duration;

use serde::Serialize;
use zbus::zvariant::{DynamicType, OwnedValue, Type};
use zbus::{Connection, MatchRule, MessageStream};

const WITHIN: Duration = Duration::from_secs(2);

/// Whom to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    pub name: &'static str,
    pub path: &'static str,
    pub interface: &'static str,
}

pub(super) struct Bus {
    connection: Connection,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum BusError {
    #[error("no answer within {} s", WITHIN.as_secs())]
    Silent,
    #[error("{0}")]
    Refused(#[from] zbus::Error),
}

impl Bus {
    pub async fn open(address: &str) -> Result<Self, BusError> {
        let building = async {
            let builder = zbus::connection::Builder::address(address)?;
            builder.max_queued(16).build().await
        };
        let connection = within(building).await?;
        Ok(Self { connection })
    }

    /// The names of all services that run.
    pub async fn names(&self) -> Result<Vec<String>, BusError> {
        const ITSELF: Service = Service {
            name: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
        };
        self.ask(ITSELF, "ListNames", &()).await
    }

    pub async fn ask<B, R>(&self, whom: Service, what: &str, with: &B) -> Result<R, BusError>
    where
        B: Serialize + DynamicType,
        R: serde::de::DeserializeOwned + Type,
    {
        self.ask_at(whom, whom.path, what, with).await
    }

    /// The same of another object of the service.
    pub async fn ask_at<B, R>(
        &self,
        whom: Service,
        path: &str,
        what: &str,
        with: &B,
    ) -> Result<R, BusError>
    where
        B: Serialize + DynamicType,
        R: serde::de::DeserializeOwned + Type,
    {
        let asked = async {
            let c = &self.connection;
            let answer = c
                .call_method(Some(whom.name), path, Some(whom.interface), what, with)
                .await?;
            answer.body().deserialize()
        };
        within(asked).await
    }

    /// Everything that an object tells of itself.
    pub async fn properties(
        &self,
        whom: Service,
        path: &str,
    ) -> Result<std::collections::HashMap<String, OwnedValue>, BusError> {
        let itself = Service {
            interface: "org.freedesktop.DBus.Properties",
            ..whom
        };
        self.ask_at(itself, path, "GetAll", &(whom.interface,))
            .await
    }

    /// Every signal of this name from now on.
    pub async fn signals(&self, whom: Service, signal: &str) -> Result<MessageStream, BusError> {
        let listening = async {
            let rule = MatchRule::builder()
                .msg_type(zbus::message::Type::Signal)
                .sender(whom.name)?
                .path(whom.path)?
                .interface(whom.interface)?
                .member(signal)?
                .build();
            MessageStream::for_match_rule(rule, &self.connection, Some(16)).await
        };
        within(listening).await
    }
}

async fn within<T>(asked: impl Future<Output = zbus::Result<T>>) -> Result<T, BusError> {
    match tokio::time::timeout(WITHIN, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BusError::Silent),
    }
}
