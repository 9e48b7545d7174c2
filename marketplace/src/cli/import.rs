//! `import` and `schema`: a job file from a deployment made elsewhere, and what a job file looks like.

use super::{CliError, say};
use clap::Args;
use std::path::PathBuf;
use sublet_protocol::job::{JobError, SCHEMA, import_sdl};
use sublet_protocol::money::{HourlyPrice, MicroUsd};

#[derive(Args)]
pub struct Import {
    /// The deployment: Akash SDL 2.0 or 2.1, with one service
    file: PathBuf,
    /// The most that an hour may cost, in US dollars, since prices there are for a block and in a coin
    #[arg(long, value_name = "USD")]
    price: Option<MicroUsd>,
}

impl Import {
    pub fn run(self) -> Result<(), CliError> {
        let file = self.file.display();
        let text = std::fs::read_to_string(&self.file).map_err(CliError::failed(&file))?;
        let imported = import_sdl(&text, self.price.map(HourlyPrice)).map_err(|errors| {
            let told = |error: &JobError| format!("{file}: {error}");
            let lines: Vec<String> = errors.iter().map(told).collect();
            CliError::Failed(lines.join("\n"))
        })?;
        say::raw(imported.job.as_bytes())?;
        for note in &imported.notes {
            say::progress(note);
        }
        Ok(())
    }
}

/// Prints the JSON Schema of a job file.
pub fn schema() -> Result<(), CliError> {
    say::raw(SCHEMA.as_bytes())
}
