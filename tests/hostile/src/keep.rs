//! What a job may leave in its checkpoint folder, which is read while the job runs, and try with what it was given. As
//! with outputs, most only lay something there; whether anything comes of it shows when it is sealed.

use crate::report::{Report, checked};
use std::fs;
use std::io::{Result, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

pub fn attack(report: &mut Report, attack: &str, words: &[String]) -> bool {
    let laid = match (attack, words) {
        ("keep-tricks", []) => tricks(report),
        ("keep-changing", []) => changing(report),
        ("keep-flood", [count]) => flood(count),
        ("keep-sparse", [mib]) => sparse(mib),
        ("write-input", []) => {
            write_input(report);
            return true;
        }
        _ => return false,
    };
    match laid {
        Ok(()) => report.tried("laid"),
        Err(error) => report.tried(format!("not laid: {error}")),
    }
    true
}

/// One honest file among all that is none.
fn tricks(report: &mut Report) -> Result<()> {
    std::env::set_current_dir("/keep")?;
    fs::write("state", "honest")?;
    fs::set_permissions("state", fs::Permissions::from_mode(0o6777))?;
    fs::write(".half", "not whole yet")?;
    symlink("/etc/passwd", "passwd")?;
    symlink("../../../../../../etc", "etc")?;
    fs::hard_link("state", "twin")?;
    fs::create_dir_all("folder/deeper")?;
    fs::write("folder/deeper/file", "hidden")?;
    UnixListener::bind("socket")?;
    for name in ["..a", "a\nb", "\u{1b}[2J", "a\\b"] {
        fs::write(name, "misleading")?;
    }
    let made = unsafe { libc::mknod(c"pipe".as_ptr(), libc::S_IFIFO | 0o666, 0) };
    checked(made.into())?;
    let device = unsafe { libc::mknod(c"disk".as_ptr(), libc::S_IFBLK, libc::makedev(8, 0)) };
    report.outcome("a device", checked(device.into()));
    Ok(())
}

/// Writes over its files in their places, shortens and lengthens them, and makes and removes others, until it is killed.
fn changing(report: &mut Report) -> Result<()> {
    let mut file = fs::File::create("/keep/a")?;
    fs::write("/keep/b", "beside it")?;
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
        let other = format!("/keep/c{turn}");
        fs::write(&other, "here and gone")?;
        fs::remove_file(&other)?;
    }
}

fn flood(count: &str) -> Result<()> {
    for n in 0..count.parse::<u32>().unwrap_or(0) {
        fs::File::create(format!("/keep/{n}"))?;
    }
    Ok(())
}

fn sparse(mib: &str) -> Result<()> {
    fs::File::create("/keep/a")?.set_len(mib.parse::<u64>().unwrap_or(0) << 20)
}

/// Changes what it was given to read, and the folder that it lies in.
fn write_input(report: &mut Report) {
    let there = fs::read("/in/data");
    report.tried(format!("read it: {}", there.is_ok()));
    report.outcome("written over", fs::write("/in/data", "mine"));
    let appended = fs::OpenOptions::new().append(true).open("/in/data");
    report.outcome("appended to", appended);
    report.outcome("renamed", fs::rename("/in/data", "/in/other"));
    report.outcome("removed", fs::remove_file("/in/data"));
    report.outcome("planted", fs::write("/in/planted", "mine"));
    let mode = fs::Permissions::from_mode(0o777);
    report.outcome("opened for all", fs::set_permissions("/in", mode));
    let remounted = unsafe {
        libc::mount(
            std::ptr::null(),
            c"/in".as_ptr(),
            std::ptr::null(),
            libc::MS_REMOUNT | libc::MS_BIND,
            std::ptr::null(),
        )
    };
    report.outcome("remounted", checked(remounted.into()));
}
