//! docs/benchmarks.md: one part for each measurement, replaced when it is measured anew.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use super::figure::{Figure, number};

const HEAD: &str = "# Benchmarks

Written by `cargo xtask bench`; `cargo xtask bench NAME` measures one part anew, and `--check` fails when a bar is
missed. Each figure stands beside a peer or a limit that was measured in the same run on the same machine: the ratio is
what counts, since machines differ.
";

/// Puts the figures of one measurement into the page.
pub fn write(page: &Path, name: &str, figures: &[Figure]) -> anyhow::Result<()> {
    let before = match fs::read_to_string(page) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("{}", page.display())),
    };
    let after = replaced(&before, name, &part(name, figures, &machine()))
        .with_context(|| format!("{} cannot be brought up to date", page.display()))?;
    fs::write(page, after).with_context(|| format!("{} cannot be written", page.display()))
}

fn part(name: &str, figures: &[Figure], machine: &str) -> String {
    let mut text = format!("`cargo xtask bench {name}`, measured on {machine}\n\n");
    text.push_str("| figure | ours | beside | ratio | bar |\n|---|---|---|---|---|\n");
    for figure in figures {
        text.push_str(&format!(
            "| {} | {} {} | {} {}: {} | {:.2} | {} |\n",
            figure.title,
            number(figure.ours),
            figure.unit,
            number(figure.peers),
            figure.unit,
            figure.peer,
            figure.ratio(),
            figure.bar_in_words(),
        ));
    }
    for figure in figures.iter().filter(|figure| !figure.note.is_empty()) {
        text.push_str(&format!("\n{}: {}\n", figure.title, figure.note));
    }
    text
}

/// The page with this part in place of the earlier one, or at its end.
fn replaced(page: &str, name: &str, part: &str) -> anyhow::Result<String> {
    let (begin, end) = (
        format!("<!-- {name} begins -->"),
        format!("<!-- {name} ends -->"),
    );
    let block = format!("{begin}\n{part}{end}");
    match (page.find(&begin), page.find(&end)) {
        (Some(from), Some(to)) if from < to => Ok(format!(
            "{}{block}{}",
            &page[..from],
            &page[to + end.len()..]
        )),
        (None, None) => Ok(format!("{}\n\n## {name}\n\n{block}\n", page.trim_end())),
        _ => bail!("its markers for `{name}` do not stand in order; mend or remove them"),
    }
}

/// Processor and cores, as the kernel names them.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'))
        .map_or("a processor without a name", |(_, name)| name.trim());
    let plural = if cores == 1 { "" } else { "s" };
    format!("{cores} core{plural} of {model}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_added_once_and_replaced_after() -> anyhow::Result<()> {
        let one = replaced("# Page\n", "a", "first\n")?;
        let two = replaced(&one, "b", "other\n")?;
        let three = replaced(&two, "a", "second\n")?;
        assert!(
            three.contains("second") && three.contains("other"),
            "{three}"
        );
        assert!(!three.contains("first"), "{three}");
        assert_eq!(three.matches("## a").count(), 1);
        assert!(replaced("<!-- a ends --><!-- a begins -->", "a", "x").is_err());
        Ok(())
    }
}
