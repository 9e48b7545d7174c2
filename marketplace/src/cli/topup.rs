//! `topup`: the operator brings money in. Works on the database itself, beside a running server.

use super::{CliError, say};
use crate::clock::now_ms;
use crate::db::{self, Tx};
use crate::fault::Fault;
use crate::secret::Token;
use crate::{keyfile, renters};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use sublet_protocol::ids::RenterId;
use sublet_protocol::money::MicroUsd;
use sublet_protocol::renter::AccountView;

#[derive(Args)]
pub struct Topup {
    /// Whose account
    renter: RenterId,
    /// How much, in US dollars, such as 20 or 0.35
    amount: MicroUsd,
    /// The marketplace's folder
    #[arg(long, env = "SUBLET_MARKET_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Give the account a new token; the old one is void from then on
    #[arg(long)]
    new_token: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    account: AccountView,
    /// Where the token lies, if one was made now.
    token_file: Option<PathBuf>,
}

impl Topup {
    pub async fn run(self) -> Result<(), CliError> {
        let file = self.data.join("market.sqlite");
        if !file.exists() {
            return Err(CliError::Failed(format!(
                "There is no marketplace in {}: {} is not there. Run `sublet-market serve --data {0}` first.",
                self.data.display(),
                file.display()
            )));
        }
        let conn = db::open(&file)
            .await
            .map_err(|error| CliError::Failed(error.to_string()))?;
        let mut tx = Tx::over(conn);
        let told = self.change(&mut tx).await?;
        if self.json {
            return say::json(&told);
        }
        let account = &told.account;
        say::line(format_args!(
            "{} now has {} free to spend ({} set aside, {} spent).",
            account.renter, account.balance, account.reserved, account.spent
        ))?;
        if let Some(path) = &told.token_file {
            say::line(format_args!(
                "Its token is in {} (readable by you alone).",
                path.display()
            ))?;
            say::hint(format_args!(
                "Next: sublet-market submit job.yaml --token-file {}",
                path.display()
            ));
        }
        Ok(())
    }

    async fn change(&self, tx: &mut Tx) -> Result<Told, CliError> {
        begin(tx).await?;
        let path = self
            .data
            .join("renters")
            .join(format!("{}.token", self.renter));
        let is_new = !renters::exists(&mut tx.conn, &self.renter).await?;
        let mut token_file = None;
        if is_new || self.new_token {
            let token = Token::new("renter").map_err(Fault::from)?;
            // The file first: a token that the database knows and nobody has would lock the renter out.
            write(&path, &token)?;
            renters::set_token(tx, &self.renter, &token, now_ms()).await?;
            token_file = Some(path);
        }
        renters::top_up(tx, &self.renter, self.amount, now_ms()).await?;
        let account = renters::view(&mut tx.conn, &self.renter).await?;
        sqlx::query("COMMIT")
            .execute(&mut tx.conn)
            .await
            .map_err(Fault::from)?;
        Ok(Told {
            account,
            token_file,
        })
    }
}

async fn begin(tx: &mut Tx) -> Result<(), Fault> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut tx.conn).await?;
    Ok(())
}

fn write(path: &Path, token: &Token) -> Result<(), CliError> {
    keyfile::write_new(path, token.reveal()).map_err(CliError::failed(path.display()))
}
