//! `account`: how the money stands.

use super::client::Client;
use super::{Access, CliError, say};
use clap::Args;
use reqwest::Method;
use sublet_protocol::renter::AccountView;

#[derive(Args)]
pub struct Account {
    #[command(flatten)]
    access: Access,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Account {
    pub async fn run(self) -> Result<(), CliError> {
        let client = Client::new(&self.access)?;
        let account: AccountView = client
            .json(client.request(Method::GET, "/v1/account"))
            .await?;
        if self.json {
            return say::json(&account);
        }
        say::line(format_args!(
            "{} has {} free to spend.",
            account.renter, account.balance
        ))?;
        say::table(
            &["", "USD"],
            [
                vec!["free".into(), account.balance.to_string()],
                vec![
                    "set aside for running jobs".into(),
                    account.reserved.to_string(),
                ],
                vec!["spent".into(), account.spent.to_string()],
            ],
        )
    }
}
