//! The copy of what the database holds of one rig.

use crate::fault::Fault;
use crate::leases::Lease;
use crate::ledger::book::{self, Account};
use crate::store::{from_json, to_u64};
use sqlx::SqliteConnection;
use sublet_protocol::heartbeat::Command;
use sublet_protocol::ids::{LeaseId, RigId};
use sublet_protocol::money::MicroUsd;

/// Open leases, waiting commands and what is owed: as durable as the database, as quick as memory.
#[derive(Debug, Clone, Default)]
pub struct Mirror {
    /// Open leases, oldest first.
    pub leases: Vec<Lease>,
    /// Commands that the rig has not acknowledged, oldest first.
    pub commands: Vec<Command>,
    /// The highest command id ever given to it.
    pub last_command: u64,
    /// All that it earned since it began.
    pub owed: MicroUsd,
}

impl Mirror {
    /// Reads it.
    ///
    /// # Errors
    /// The database does not answer, or holds what cannot be read.
    pub async fn read(conn: &mut SqliteConnection, rig: &RigId) -> Result<Self, Fault> {
        let leases = Lease::open_of_rig(&mut *conn, rig).await?;
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, body FROM commands WHERE rig = ? ORDER BY id")
                .bind(rig.as_str())
                .fetch_all(&mut *conn)
                .await?;
        let commands = rows
            .into_iter()
            .map(|(id, body)| {
                Ok(Command {
                    id: to_u64(id)?,
                    action: from_json(&body)?,
                })
            })
            .collect::<Result<_, Fault>>()?;
        let last_command: i64 = sqlx::query_scalar("SELECT last_command FROM rigs WHERE id = ?")
            .bind(rig.as_str())
            .fetch_one(&mut *conn)
            .await?;
        Ok(Self {
            leases,
            commands,
            last_command: to_u64(last_command)?,
            owed: book::holds(conn, Account::Rig(rig)).await?,
        })
    }

    /// An open lease.
    pub fn lease(&self, id: &LeaseId) -> Option<&Lease> {
        self.leases.iter().find(|lease| lease.id == *id)
    }

    /// Commands above `after`.
    pub fn commands_after(&self, after: u64) -> Vec<Command> {
        let new = self.commands.iter().filter(|command| command.id > after);
        new.cloned().collect()
    }
}
