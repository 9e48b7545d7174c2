//! The one that writes. Changes queue up, run one after the other, and are committed in groups: one disk flush
//! for many. A caller hears "done" only once its change is on the disk. After each commit, and before anyone
//! hears of it, the board's copy of every rig that was touched is made anew, so memory never runs ahead of the
//! database nor behind it.

use crate::board::Board;
use crate::fault::Fault;
use crate::rehearsal;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use std::collections::BTreeSet;
use std::sync::Arc;
use sublet_protocol::ids::RigId;
use tokio::sync::{mpsc, oneshot};

/// The most changes in one commit.
const GROUP: usize = 128;
/// The most that wait; beyond it callers wait to be let in.
const QUEUE: usize = 1024;

/// An open transaction.
pub struct Tx {
    /// The connection it runs on.
    pub conn: SqliteConnection,
    touched: BTreeSet<RigId>,
    /// What is written in it, by name.
    wrote: BTreeSet<&'static str>,
}

impl Tx {
    /// Makes the board read this rig's leases and commands anew after the commit.
    pub fn touch(&mut self, rig: &RigId) {
        self.touched.insert(rig.clone());
    }

    /// Notes what was written: the steps of [`crate::rehearsal`].
    pub fn wrote(&mut self, row: &'static str) {
        self.wrote.insert(row);
    }

    /// A transaction that the caller begins and commits, for tools beside the server and for tests.
    pub fn over(conn: SqliteConnection) -> Self {
        Self {
            conn,
            touched: BTreeSet::new(),
            wrote: BTreeSet::new(),
        }
    }
}

type Answer = Box<dyn FnOnce(Result<(), Fault>) + Send>;
type Op = Box<dyn for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, (bool, Answer)> + Send>;

/// Hands changes to the writing task.
#[derive(Clone)]
pub struct Writer(mpsc::Sender<Op>);

impl Writer {
    /// Starts the writing task. It ends, and closes the database, once every `Writer` is gone.
    pub fn start(conn: SqliteConnection, board: Arc<Board>) -> (Self, tokio::task::JoinHandle<()>) {
        let (send, receive) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(Tx::over(conn), receive, board));
        (Self(send), task)
    }

    /// Runs a change in a transaction; when it answers `Ok`, the change is on the disk. On `Err` nothing of it is.
    ///
    /// # Errors
    /// The change's own, or that of the commit.
    pub async fn change<T, F>(&self, change: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> BoxFuture<'c, Result<T, Fault>> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let op: Op = Box::new(move |tx| {
            async move {
                let result = change(tx).await;
                let keep = result.is_ok();
                let answer: Answer = Box::new(move |committed| {
                    // A caller that went away does not want to know.
                    let _ = send.send(committed.and(result));
                });
                (keep, answer)
            }
            .boxed()
        });
        self.0.send(op).await.map_err(|_| Fault::Closing)?;
        receive
            .await
            .map_err(|_| Fault::Uncommitted("a change before it in the same group failed".into()))?
    }
}

async fn run(mut tx: Tx, mut queue: mpsc::Receiver<Op>, board: Arc<Board>) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let mut answers = Vec::with_capacity(group.len());
        let mut outcome = commit(&mut tx, group.drain(..), &mut answers).await;
        if outcome.is_ok() {
            outcome = board.reload(&mut tx.conn, &tx.touched).await;
            if outcome.is_ok() {
                tx.touched.clear();
            }
        } else if let Err(error) = sqlx::query("ROLLBACK").execute(&mut tx.conn).await {
            // So it is where SQLite has already rolled back by itself.
            tracing::debug!(%error, "nothing was left to roll back");
        }
        for row in std::mem::take(&mut tx.wrote) {
            if outcome.is_ok() {
                rehearsal::written(row);
            }
        }
        let text = outcome.err().map(|error| error.to_string());
        if let Some(text) = &text {
            tracing::error!(error = %text, changes = answers.len(), "changes could not be written");
        }
        for answer in answers {
            answer(match &text {
                None => Ok(()),
                Some(text) => Err(Fault::Uncommitted(text.clone())),
            });
        }
    }
    if let Err(error) = tx.conn.close().await {
        tracing::error!(%error, "the database did not close as it should; what was committed is safe");
    }
}

/// Runs a group in one transaction. After an error the rest of the group is dropped untried, which its callers
/// hear as "not done".
async fn commit(
    tx: &mut Tx,
    ops: impl Iterator<Item = Op>,
    answers: &mut Vec<Answer>,
) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut tx.conn).await?;
    for op in ops {
        one(tx, op, answers).await?;
    }
    for row in &tx.wrote {
        rehearsal::writing(row);
    }
    sqlx::query("COMMIT").execute(&mut tx.conn).await.map(drop)
}

async fn one(tx: &mut Tx, op: Op, answers: &mut Vec<Answer>) -> Result<(), sqlx::Error> {
    sqlx::query("SAVEPOINT change")
        .execute(&mut tx.conn)
        .await?;
    let (keep, answer) = op(tx).await;
    answers.push(answer);
    if !keep {
        sqlx::query("ROLLBACK TO change")
            .execute(&mut tx.conn)
            .await?;
    }
    sqlx::query("RELEASE change").execute(&mut tx.conn).await?;
    Ok(())
}
