//! What a job may leave where its outputs are awaited. The attack only lays it there; whether anything comes of it
//! shows when the outputs are collected.

use crate::report::Report;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

pub fn attack(report: &mut Report, attack: &str, words: &[String]) -> bool {
    let laid = match (attack, words) {
        ("lay-link", [target]) => symlink(target, "/out/a"),
        ("lay-link-to-folder", [target]) => {
            symlink(target, "/out/f").and_then(|()| symlink("f/passwd", "/out/a"))
        }
        ("lay-device", []) => device(),
        ("lay-device-over", []) => fs::remove_dir("/out/a").and_then(|()| device()),
        ("lay-pipe", []) => node(libc::S_IFIFO),
        ("lay-socket", []) => UnixListener::bind("/out/a").map(drop),
        ("lay-setuid", []) => fs::write("/out/a", "#!/bin/sh\n")
            .and_then(|()| fs::set_permissions("/out/a", fs::Permissions::from_mode(0o6777))),
        ("lay-sparse", [mib]) => sparse(mib),
        ("lay-folder", [depth]) => folder(depth),
        ("lay-future", []) => future(),
        ("lay-names", []) => names(),
        ("lay-changing", []) => changing(report),
        _ => return false,
    };
    match laid {
        Ok(()) => report.tried("laid"),
        Err(error) => report.tried(format!("not laid: {error}")),
    }
    true
}

fn node(kind: libc::mode_t) -> std::io::Result<()> {
    let made = unsafe { libc::mknod(c"/out/a".as_ptr(), kind | 0o666, libc::makedev(1, 3)) };
    crate::report::checked(made.into()).map(drop)
}

fn device() -> std::io::Result<()> {
    node(libc::S_IFCHR)
}

fn sparse(mib: &str) -> std::io::Result<()> {
    fs::File::create("/out/a")?.set_len(mib.parse::<u64>().unwrap_or(0) << 20)
}

/// A tree too deep to be walked by the length of a path.
fn folder(depth: &str) -> std::io::Result<()> {
    std::env::set_current_dir("/out")?;
    fs::create_dir("a")?;
    std::env::set_current_dir("a")?;
    for _ in 0..depth.parse::<u32>().unwrap_or(0) {
        fs::create_dir("deeper")?;
        std::env::set_current_dir("deeper")?;
    }
    Ok(())
}

fn future() -> std::io::Result<()> {
    let file = fs::File::create("/out/a")?;
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(200 * 366 * 86_400);
    file.set_modified(far)?;
    println!(
        "its time is {:?}",
        file.metadata()?
            .modified()?
            .duration_since(SystemTime::UNIX_EPOCH)
    );
    Ok(())
}

fn names() -> std::io::Result<()> {
    for name in ["..a", "a\n/etc/passwd", "\u{1b}[2Ja", "-rf", " "] {
        fs::write(
            std::path::Path::new("/out").join(name.replace('/', "_")),
            "x",
        )?;
    }
    fs::write("/out/a", "honest")
}

/// Writes over the same file, and shortens and lengthens it, until it is killed.
fn changing(report: &mut Report) -> std::io::Result<()> {
    let mut file = fs::File::create("/out/a")?;
    let mut turn = 0_u8;
    file.write_all(&vec![turn; 3 << 20])?;
    report.tried("changing");
    report.tell();
    loop {
        turn = turn.wrapping_add(1);
        let length = (2 << 20) + (usize::from(turn) << 12);
        file.set_len(length as u64)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&vec![turn; length])?;
    }
}
