#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended; whoever started it has only not asked yet.
    !stat.is_empty() && !stat.contains(") Z ")
}

fn number_in(file: &Path) -> u32 {
    wait_until("a number in the file", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Ok(text
            .ends_with('\n')
            .then(|| text.trim().parse().ok())
            .flatten())
    })
    .unwrap()
}

fn wait_for_the_end_of(pid: u32) {
    wait_until("the process to end", Duration::from_secs(10), || {
        Ok((!alive(pid)).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_dropped_process_takes_its_whole_group_along() {
    let folder = tempfile::tempdir().unwrap();
    let child_id = folder.path().join("id");
    let script = format!("sleep 600 & echo $! > {}; wait", child_id.display());
    let process = Process::start(
        "sleeper",
        shell(&script),
        &folder.path().join("log"),
        Life::WithUs,
    )
    .unwrap();
    let (first, second) = (process.id(), number_in(&child_id));
    assert!(alive(first) && alive(second));
    drop(process);
    assert!(!alive(first) && !alive(second));
}

#[test]
fn a_process_whose_starter_dies_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let process = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                Process::start("orphan", shell("exec sleep 600"), &log, Life::WithUs).unwrap()
            })
            .join()
            .unwrap()
    });
    wait_for_the_end_of(process.id());
}

#[test]
fn a_kept_process_stays_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let process = Process::start("keeper", shell("exec sleep 600"), &log, Life::Stays).unwrap();
    let pid = process.id();
    drop(process);
    assert!(alive(pid));
    let raw = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(raw, Signal::KILL).unwrap();
    wait_for_the_end_of(pid);
}

#[test]
fn a_process_that_ended_is_told_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let script = shell("echo the port is taken >&2; exit 3");
    let mut process = Process::start("registry", script, &log, Life::WithUs).unwrap();
    let error = wait_until("the end", Duration::from_secs(10), || {
        Ok(process.must_run().err())
    });
    let text = error.unwrap().to_string();
    assert!(
        text.contains("exit status: 3") && text.contains("the port is taken"),
        "{text}"
    );
}

#[test]
fn state_and_group_are_found_behind_any_name() {
    let stat = "42 (a) (b) Z) S 1 77 77 0 -1";
    assert_eq!(state_and_group(stat), Some(('S', 77)));
    assert_eq!(state_and_group(""), None);
}

#[test]
fn waiting_ends_with_what_was_waited_for() {
    let error = wait_until::<()>("the moon", Duration::ZERO, || Ok(None))
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "waited 0 s for the moon, in vain.");
}
