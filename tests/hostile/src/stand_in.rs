//! Parts that attacks are aimed at: somebody who listens, somebody who holds shared memory.

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

/// Whether this word is such a part; it goes on until it is killed, or for ten minutes.
pub fn serve(word: &str, words: &[String]) -> bool {
    match (word, words) {
        ("listen", [address]) => listen(address),
        ("hold-shared-memory", [key]) => hold(key),
        ("drop-shared-memory", [key]) => {
            release(key);
            return true;
        }
        ("sleep", []) => {}
        _ => return false,
    }
    println!("ready");
    std::thread::sleep(Duration::from_secs(600));
    true
}

fn listen(address: &str) {
    match TcpListener::bind(address) {
        Err(error) => println!("{address}: {error}"),
        Ok(listener) => drop(std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                // Whoever hangs up early was here all the same.
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nsecret\n");
            }
        })),
    }
    if let Ok(socket) = UdpSocket::bind(address) {
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let _ = socket.send_to(bytes.get(..length).unwrap_or_default(), from);
            }
        });
    }
}

fn hold(key: &str) {
    let key = key.parse().unwrap_or(1);
    unsafe {
        libc::shmget(key, 4096, libc::IPC_CREAT | 0o666);
        libc::msgget(key, libc::IPC_CREAT | 0o666);
        libc::semget(key, 1, libc::IPC_CREAT | 0o666);
    }
}

/// What was held outlives whoever held it.
fn release(key: &str) {
    let key = key.parse().unwrap_or(1);
    unsafe {
        libc::shmctl(
            libc::shmget(key, 0, 0),
            libc::IPC_RMID,
            std::ptr::null_mut(),
        );
        libc::msgctl(libc::msgget(key, 0), libc::IPC_RMID, std::ptr::null_mut());
        libc::semctl(libc::semget(key, 0, 0), 0, libc::IPC_RMID);
    }
}
