//! All attacks: what each tries, what stops it, and whether the same is run without the sandbox, to see that it would
//! get something there. The page on threats carries this table, and is held to it.

/// One attack; its name is the word that the attacker is started with.
pub(super) struct Attack {
    pub name: &'static str,
    pub tries: &'static str,
    pub stopped_by: &'static str,
    /// Without the sandbox it is shown to get something; or why that is not tried.
    pub control: Result<(), &'static str>,
}

macro_rules! table {
    ($($name:literal: $tries:literal, $stopped_by:literal, $control:expr;)*) => {
        pub(super) const ATTACKS: &[Attack] = &[
            $(Attack { name: $name, tries: $tries, stopped_by: $stopped_by, control: $control },)*
        ];
    };
}

/// The same attack gets something without the sandbox.
const SHOWN: Result<(), &str> = Ok(());

table! {
    // The owner's things.
    "read-host-file": "reads a file of the host by every path that ever led out", "a root file system of its own, nothing mounted in from the host, a process namespace", SHOWN;
    "open-by-handle": "opens the root of a disk by a file handle, past every mount", "no capability; the seccomp filter", SHOWN;
    "docker-socket": "connects to Docker, containerd or Podman", "their sockets are not in the container", SHOWN;
    "host-environment": "reads the environments of the host's processes", "a process namespace of its own", SHOWN;
    "other-volume": "reads another job's outputs", "each lease has a volume of its own; no path leads to Docker's folder", SHOWN;
    "leaked-descriptors": "looks for a folder of the host that the runtime left open", "the runtime closes them", Err("it needs a runtime with a hole");
    "chroot": "leaves its root by way of a second one", "no capability", SHOWN;
    "disk-device": "makes a node for the host's disk and reads it", "no capability, the device cgroup, `nodev`", SHOWN;
    "overwrite-runtime": "writes over the program that the engine brought in", "it is root's, and mounted read-only", Err("success would replace the host's own program");
    "write-root": "plants files in the root folder", "a read-only root", SHOWN;
    "setuid-program": "runs a program of its image that is root's and has the set-user-ID bit", "`no-new-privileges`", SHOWN;
    // Rights.
    "mount": "mounts, binds, remounts and takes mounts away", "no capability; the seccomp filter", SHOWN;
    "new-mount-api": "the same by the newer calls", "no capability; the seccomp filter", SHOWN;
    "unshare": "makes namespaces of every kind, where it would be root", "the seccomp filter", SHOWN;
    "clone-namespaces": "makes them for a child, by `clone` and `clone3`", "the seccomp filter", SHOWN;
    "join-namespaces": "joins namespaces that it can see", "no capability; the seccomp filter", SHOWN;
    "ptrace": "traces a process of the host, reads its memory", "a process namespace of its own", SHOWN;
    "signal-others": "signals a process of the host, looks for others", "a process namespace of its own", SHOWN;
    "become-root": "changes its user and groups, takes capabilities", "no capability, none to be had, `no-new-privileges`", SHOWN;
    "type-into-terminal": "types into the terminal it was started from", "it has none", SHOWN;
    "priority": "asks for real-time scheduling, a better place in the queue, the disk first", "no capability", SHOWN;
    "set-clock": "sets the machine's clock", "no capability; the seccomp filter", SHOWN;
    "host-name": "renames the host", "no capability; a name of its own", SHOWN;
    "reboot": "asks for what may restart the machine", "no capability; the seccomp filter", SHOWN;
    "swap": "switches swap on and off", "no capability; the seccomp filter", SHOWN;
    "survive-memory-killer": "makes the owner's programs go first when memory runs out", "no capability; its score is the worst there is", Err("it needs a right that Docker itself may lack");
    "shared-memory": "opens shared memory, queues and semaphores of the host by their key", "an IPC namespace of its own", SHOWN;
    "widen-gpus": "takes GPUs and parts of their driver by variables that its image brings", "the profile sets or removes each of them", SHOWN;
    // The kernel.
    "load-module": "loads a module or another kernel", "no capability; the seccomp filter", Err("the kernel may have no modules; the filter's own refusal is told from that");
    "keyring": "reads and plants keys, which are kept for a user and not for a container", "the seccomp filter", SHOWN;
    "bpf": "loads a program into the kernel", "the seccomp filter", SHOWN;
    "perf": "counts what the machine does", "the seccomp filter", SHOWN;
    "userfaultfd": "handles page faults itself, the tool of many exploits", "the seccomp filter", SHOWN;
    "io-uring": "makes a ring, by which calls pass filters by", "the seccomp filter", SHOWN;
    "personality": "turns the chance in addresses off", "the seccomp filter", SHOWN;
    "kernel-log": "reads the kernel's log", "no capability; the seccomp filter", SHOWN;
    "kernel-memory": "reads the kernel's memory and tables", "masked paths, no devices", SHOWN;
    "kernel-settings": "opens sysrq, core_pattern, modprobe and others for writing", "read-only /proc/sys, masked paths", SHOWN;
    "cgroup-release-agent": "makes groups, changes its own limits, names a program for the host to run", "the group's files are mounted read-only", SHOWN;
    "devices-of-sys": "changes settings of devices, reads firmware and tracing", "read-only /sys, masked paths", SHOWN;
    "raw-hardware": "opens ports, KVM, tun, input devices, sound, GPUs that are not leased", "the device cgroup; no such nodes", SHOWN;
    "kernel-bookkeeping": "process accounting, quotas, another root, file notifications for all", "no capability; the seccomp filter", SHOWN;
    "aio": "takes asynchronous requests, of which the whole machine has one small number", "the seccomp filter", SHOWN;
    "raise-limits": "raises its own limits", "no capability", SHOWN;
    // The network.
    "interfaces": "looks for interfaces and routes", "a network namespace with nothing but loopback", SHOWN;
    "dial": "connects to the agent's dashboard, the registry, the host's addresses, a neighbour on the LAN, 169.254.169.254, over both protocols", "a network namespace with nothing but loopback", SHOWN;
    "dns": "asks a name server a question that carries a secret", "a network namespace with nothing but loopback", SHOWN;
    "raw-sockets": "opens raw and packet sockets", "no capability", SHOWN;
    "vsock": "opens a socket to the machine beneath a virtual machine, which no namespace keeps apart", "the seccomp filter", SHOWN;
    "abstract-socket": "connects to a nameless socket of the host", "a network namespace of its own", SHOWN;
    "new-interface": "makes and changes interfaces", "no capability; no device for it", SHOWN;
    // More than its share.
    "fork-bomb": "starts processes without end", "the pids cgroup", SHOWN;
    "memory-balloon": "takes memory without end", "the memory cgroup, without swap; the job goes first", SHOWN;
    "scratch-fill": "fills the folders in memory", "each has a size; all of it counts as the job's memory", SHOWN;
    "scratch-inodes": "fills them with empty files", "each has a number of files", SHOWN;
    "file-bomb": "writes one file without end", "a limit on the size of a file", SHOWN;
    "many-files-bomb": "writes many files, each within that limit", "the guard of the disk", SHOWN;
    "inode-flood": "makes empty files without end where outputs lie", "the guard of the disk", SHOWN;
    "log-flood": "writes log without end", "two files of 8 MiB, the older one dropped", SHOWN;
    "open-files": "opens files without end", "a limit on open files", SHOWN;
    "watches": "takes all watchers of its user", "the kernel's limit for a user, which jobs share with no one else but `nobody`", Err("the same limit holds for a plain container of that user");
    "message-queues": "leaves queues in the kernel", "an IPC namespace, which goes with the container", Err("they would stay on the host");
    "cpu-hog": "computes on more threads than it has cores", "CPU time in the cgroup, and a low weight", SHOWN;
    "ignore-signals": "ignores every signal", "it is killed, not asked; the polite signal is sent first, and shown to do nothing", Err("the test sends both signals to the same container");
    "core-dump": "crashes, to leave its memory on the disk", "no core files", SHOWN;
    // Outputs.
    "lay-link": "leaves a link to the owner's file as its output", "only plain files are taken, and no link is followed", Err("shown by the archive's kind of entry");
    "lay-link-to-folder": "the same by way of a linked folder", "only plain files are taken", Err("shown by the archive's kind of entry");
    "lay-device": "leaves a device", "no capability to make one; refused even where one lies there", Err("one is laid there by a container with every right, and refused");
    "lay-pipe": "leaves a pipe, at which a reader waits forever", "only plain files are taken", Err("the agent never opens it");
    "lay-socket": "leaves a socket", "only plain files are taken", Err("the agent never opens it");
    "lay-setuid": "leaves a program with the set-user-ID bit", "the copy is a new file of the agent's user, mode 0600", Err("the bit is the job's to set, in its own volume");
    "lay-sparse": "leaves a file of holes, small here and huge there", "it counts with its length", Err("the length is the job's to set, in its own volume");
    "lay-folder": "leaves a folder, a thousand deep", "only plain files are taken; Docker removes the tree", Err("the tree is the job's to make, in its own volume");
    "lay-future": "leaves a file of the next century", "the copy has no time but its own", Err("the time is the job's to set, in its own volume");
    "lay-names": "leaves names with escapes, breaks and dashes", "outputs are kept under the agent's own names", Err("the names are the job's to choose, in its own volume");
    "lay-changing": "changes an output while it is sealed", "hash and copy are made of the same bytes, in one reading", Err("shown to change by two readings that differ");
    // Inputs and checkpoints.
    "write-input": "changes what it was given to read, and the folder that it lies in", "the volume is mounted read-only; its files are root's", SHOWN;
    "keep-tricks": "leaves links, pipes, sockets, folders and misleading names beside its state", "plain files with plain names are copied into a fresh archive, and nothing else of them", Err("what is there is the job's to make, in its own volume");
    "keep-changing": "changes its files while they are sealed", "an archive that does not hold together is thrown away and read again, and so is one whose folder changed", Err("the files are the job's to change, in its own volume");
    "keep-flood": "leaves more files than are kept", "the archive's entries are counted while it is read", Err("the files are the job's to make, in its own volume");
    "keep-sparse": "leaves a file of holes, small here and huge in an archive", "it counts with its length", Err("the length is the job's to set, in its own volume");
    "keep-poisoned": "another rig seals devices, links and paths that lead out, for this one to unpack as root", "what is unpacked is an archive made here, of the plain files alone", Err("it would write where Docker can");
    // Images; these are not words of the attacker's.
    "image-layers": "an image of a thousand layers", "the number of layers is counted before one is fetched", Err("Docker fetches them all and fails at the end");
    "image-bomb": "a layer of 20 MiB that unpacks to 20 GiB", "the guard of the disk stops the pull", Err("it would fill the disk");
    "image-files": "a layer of a few MiB that unpacks to a flood of files", "the guard of the disk stops the pull", SHOWN;
    "image-size": "an image larger than the owner allows", "layers are added up as their sizes become known", SHOWN;
    "image-settings": "an image that asks for root, health checks, volumes, other GPUs", "the profile sets each of them itself", Err("shown in hardening.rs: what an image declares lifts nothing");
}

#[track_caller]
pub(super) fn named(name: &str) -> &'static Attack {
    let found = ATTACKS.iter().find(|attack| attack.name == name);
    found.unwrap_or_else(|| panic!("the attack `{name}` is not in the table"))
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/threat-model.md");
const BEGIN: &str = "<!-- attacks: begin -->\n";
const END: &str = "<!-- attacks: end -->\n";

fn page_table() -> String {
    let mut lines = String::from(
        "| attack | it tries | what stops it | the same without the sandbox |\n|---|---|---|---|\n",
    );
    for Attack {
        name,
        tries,
        stopped_by,
        control,
    } in ATTACKS
    {
        let control = match control {
            Ok(()) => "gets it".to_owned(),
            Err(why) => format!("not run: {why}"),
        };
        lines += &format!("| `{name}` | {tries} | {stopped_by} | {control} |\n");
    }
    lines
}

/// With UPDATE_DOCS=1 the page is written instead.
#[test]
fn the_page_on_threats_has_every_attack() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("the page has a place for the table");
    let (table, after) = rest.split_once(END).expect("the table has an end");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{}{END}{after}", page_table())).unwrap();
        return;
    }
    assert_eq!(table, page_table(), "write it anew: UPDATE_DOCS=1");
}

#[test]
fn there_are_enough_and_each_has_a_test_of_its_own() {
    assert!(ATTACKS.len() >= 40, "{}", ATTACKS.len());
    let tests = [
        include_str!("disk.rs"),
        include_str!("image.rs"),
        include_str!("keep.rs"),
        include_str!("network.rs"),
        include_str!("outputs.rs"),
        include_str!("owner.rs"),
        include_str!("rights.rs"),
        include_str!("shares.rs"),
    ]
    .concat();
    let mut names: Vec<&str> = ATTACKS.iter().map(|attack| attack.name).collect();
    for name in &names {
        assert!(
            tests.contains(&format!("\"{name}\"")),
            "no test runs `{name}`"
        );
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ATTACKS.len(), "a name is there twice");
}
