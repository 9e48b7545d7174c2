//! From what the program in the probe container said to what is in force. Pure.

use super::deeds::{self, DEEDS, Holder};
use std::collections::BTreeMap;
use sublet_protocol::offer::{Enforced, Part};

/// What the program said.
#[derive(Debug, Default)]
pub(super) struct Told {
    files: BTreeMap<String, String>,
    /// What each call answered; below zero is an error's number.
    answers: BTreeMap<String, i64>,
    /// It came to its end.
    done: bool,
}

/// The limits that the probe container was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub memory_bytes: u64,
    pub pids: u32,
    pub cpu_milli: u32,
    /// The user that it runs as.
    pub user: u64,
    /// The filter is ours; else it is the engine's own, whose answers are its own too.
    pub our_filter: bool,
}

impl Told {
    pub fn of(said: &str) -> Self {
        let mut told = Self::default();
        let mut file: Option<String> = None;
        for line in said.lines() {
            if let Some(path) = line.strip_prefix("= show ") {
                told.files.insert(path.to_owned(), String::new());
                file = Some(path.to_owned());
            } else if let Some(call) = line.strip_prefix("= try ") {
                file = None;
                if let Some((name, Ok(answer))) =
                    call.rsplit_once(' ').map(|(name, n)| (name, n.parse()))
                {
                    told.answers.insert(name.to_owned(), answer);
                }
            } else if line == "= done" {
                told.done = true;
            } else if let Some(text) = file.as_ref().and_then(|path| told.files.get_mut(path)) {
                text.push_str(line);
                text.push('\n');
            }
        }
        told
    }

    /// Whether it said everything that it was to say.
    pub fn is_whole(&self) -> bool {
        self.done
    }

    fn file(&self, path: &str) -> &str {
        self.files.get(path).map_or("", |text| text.trim())
    }

    /// A line of the process's status.
    fn status(&self, field: &str) -> Option<&str> {
        let lines = self.file(deeds::STATUS).lines();
        let mut values = lines.filter_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        values.next().map(str::trim)
    }

    /// The first of these files that says something, of the two versions of control groups.
    fn limit(&self, paths: [&str; 2]) -> Option<&str> {
        let mut said = paths.into_iter().map(|path| self.file(path));
        said.find(|text| !text.is_empty())
    }

    fn refused(&self, holder: Holder) -> impl Iterator<Item = (&'static str, bool)> {
        let deeds = DEEDS.iter().filter(move |deed| deed.holder == holder);
        deeds.map(|deed| (deed.name, self.answers.get(deed.name) == Some(&-deed.error)))
    }

    fn no_network(&self) -> bool {
        // One line says what the columns are; loopback has no route there.
        let routes = self.file(deeds::ROUTES).lines().count() <= 1;
        let addresses = self.file(deeds::ADDRESSES).lines();
        routes
            && addresses
                .into_iter()
                .all(|line| line.trim().ends_with(" lo"))
    }

    fn no_capabilities(&self) -> bool {
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        let none = |bits: &str| bits.bytes().all(|digit| digit == b'0');
        // gVisor does not tell of every set.
        let all_none = sets.iter().all(|set| self.status(set).is_none_or(none));
        all_none && self.status("CapBnd").is_some()
    }

    /// As the mounts have it. A try would not tell under gVisor, which looks at the folder's rights first.
    fn root_is_mounted_for_reading(&self) -> bool {
        let mounts = self.file(deeds::MOUNTS).lines();
        let mut roots = mounts.filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            (words.next()? == "/").then(|| words.nth(1))?
        });
        roots
            .next_back()
            .is_some_and(|options| options.split(',').any(|option| option == "ro"))
    }

    /// The kernel that it ran on is another than this.
    pub fn has_a_kernel_other_than(&self, host: &str) -> bool {
        let own = self.file(deeds::KERNEL);
        !own.is_empty() && !host.is_empty() && !own.contains(host)
    }

    /// NVIDIA's control device could be opened.
    pub fn has_nvidia(&self) -> bool {
        let opened = self.answers.get(deeds::NVIDIA);
        opened.is_some_and(|file| *file >= 0)
    }
}

/// What holds a job in, and what does not.
pub(super) fn judge(told: &Told, given: &Given) -> Enforced {
    let mut found = Enforced::default();
    let mut gaps = Vec::new();
    let mut hold = |holds: bool, gap: String| {
        if !holds {
            gaps.push(gap);
        }
        holds
    };

    let filters = told.status("Seccomp") == Some("2");
    found.seccomp = hold(filters, "system calls are not filtered".into());
    if filters && given.our_filter {
        for (name, refused) in told.refused(Holder::Filter) {
            found.seccomp &= hold(refused, format!("the filter does not refuse `{name}`"));
        }
    }
    found.no_new_privileges = hold(
        told.status("NoNewPrivs") == Some("1"),
        "a program can gain rights by starting another".into(),
    );
    found.no_capabilities = hold(
        told.no_capabilities() && told.refused(Holder::Rights).all(|(_, refused)| refused),
        "a job has capabilities".into(),
    );
    let user = given.user.to_string();
    let users = told.status("Uid").unwrap_or_default();
    hold(
        !users.is_empty() && users.split_whitespace().all(|one| one == user),
        format!("a job does not run as user {user}"),
    );
    found.no_network = hold(
        told.no_network(),
        "a job without a network has a way out".into(),
    );
    found.read_only_root = hold(
        told.refused(Holder::Root).all(|(_, refused)| refused),
        "the root file system can be written".into(),
    );
    found.memory = hold(
        told.limit(deeds::MEMORY) == Some(&given.memory_bytes.to_string()),
        "memory is not limited".into(),
    );
    found.pids = hold(
        told.limit(deeds::PIDS) == Some(&given.pids.to_string()),
        "the number of processes is not limited".into(),
    );

    // A hundredth of a core is a thousand microseconds of each tenth of a second.
    let quota = (given.cpu_milli * 100).to_string();
    let cpu = told.limit(deeds::CPU).unwrap_or_default();
    found.cpu = cpu.split_whitespace().next() == Some(quota.as_str());
    found.apparmor = told
        .file(deeds::LABEL)
        .trim_end_matches('\0')
        .strip_suffix(" (enforce)")
        .map(str::to_owned);
    let map = told.file(deeds::USERS).split_whitespace().nth(1);
    found.userns = map.is_some_and(|outside| outside != "0");
    found.cgroup_version = version(told.file(deeds::GROUPS));
    found.gaps = gaps;
    found
}

/// The version of control groups that keeps the process's memory.
fn version(groups: &str) -> u8 {
    if groups.lines().any(|line| line.contains(":memory")) {
        1
    } else if groups.lines().any(|line| line.starts_with("0::")) {
        2
    } else {
        0
    }
}

/// Whether gVisor works: the program ran to its end, on a kernel that is not the host's, and is held in by it.
pub(super) fn gvisor(told: &Told, given: &Given, kernel: &str) -> Part {
    let broken = |why: &str| Part::Broken {
        why: why.to_owned(),
    };
    if !told.is_whole() {
        return broken("a program in it did not come to its end");
    }
    if !told.has_a_kernel_other_than(kernel) {
        return broken("a program in it sees the host's own kernel");
    }
    let users = told.status("Uid").unwrap_or_default();
    let user = given.user.to_string();
    if !users.split_whitespace().all(|one| one == user) || !told.no_capabilities() {
        return broken("a program in it has rights that it should not have");
    }
    if !told.no_network() {
        return broken("a program in it has a network that it should not have");
    }
    if !told.root_is_mounted_for_reading() {
        return broken("a program in it can write to the root file system");
    }
    Part::Works
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: Given = Given {
        memory_bytes: 64 << 20,
        pids: 16,
        cpu_milli: 100,
        user: 65534,
        our_filter: true,
    };

    /// As a host says it on which everything holds.
    fn fine() -> String {
        let mut said = String::from(
            "= show /proc/self/status\nName:\tprobe\nUid:\t65534\t65534\t65534\t65534\n\
             CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
             CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n\n\
             = show /proc/self/attr/current\ndocker-default (enforce)\n\n\
             = show /proc/self/uid_map\n         0          0 4294967295\n\n\
             = show /proc/self/cgroup\n0::/\n\n\
             = show /proc/net/route\nIface\tDestination\tGateway\n\n\
             = show /proc/net/if_inet6\n00000000000000000000000000000001 01 80 10 80       lo\n\n\
             = show /proc/version\nLinux version 6.1.0-13-amd64\n\n\
             = show /proc/self/mounts\nnone / 9p ro,trans=fd 0 0\nnone /dev tmpfs rw 0 0\n\n\
             = show /sys/fs/cgroup/memory.max\n67108864\n\n\
             = show /sys/fs/cgroup/memory/memory.limit_in_bytes\n\
             = show /sys/fs/cgroup/pids.max\n16\n\n\
             = show /sys/fs/cgroup/cpu.max\n10000 100000\n\n",
        );
        for deed in DEEDS {
            said.push_str(&format!("= try {} -{}\n", deed.name, deed.error));
        }
        said + "= try open /dev/nvidiactl -2\n= done\n"
    }

    fn judged(said: &str) -> Enforced {
        judge(&Told::of(said), &GIVEN)
    }

    #[test]
    fn a_host_on_which_everything_holds() {
        let found = judged(&fine());
        assert_eq!(found.gaps, [""; 0]);
        assert!(found.seccomp && found.memory && found.pids && found.cpu);
        assert_eq!(found.apparmor.as_deref(), Some("docker-default"));
        assert_eq!((found.userns, found.cgroup_version), (false, 2));
        assert!(Told::of(&fine()).is_whole());
    }

    #[test]
    fn each_thing_that_does_not_hold_is_named() {
        let cases = [
            ("Seccomp:\t2", "Seccomp:\t0", "not filtered"),
            ("= try keyctl -1", "= try keyctl 7", "`keyctl`"),
            ("= try clone3 -38", "= try clone3 -22", "`clone3`"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "gain rights"),
            (
                "CapBnd:\t0000000000000000",
                "CapBnd:\t00000000a80425fb",
                "capabilities",
            ),
            ("= try mknodat -1", "= try mknodat 0", "capabilities"),
            ("Uid:\t65534", "Uid:\t0", "user 65534"),
            (
                "Gateway\n",
                "Gateway\neth0\t00000000\t010011AC\n",
                "a way out",
            ),
            ("       lo", "       lo\nfe80 02 40 20 80 eth0", "a way out"),
            (
                "= try write to / -30",
                "= try write to / 3",
                "root file system",
            ),
            ("67108864", "max", "memory"),
            ("pids.max\n16", "pids.max\nmax", "processes"),
            ("= try bpf -1\n", "", "`bpf`"),
        ];
        for (instead_of, there_is, word) in cases {
            let said = fine().replacen(instead_of, there_is, 1);
            assert_ne!(said, fine(), "{instead_of}");
            let gaps = judged(&said).gaps;
            assert!(
                gaps.len() == 1 && gaps[0].contains(word),
                "{word}: {gaps:?}"
            );
        }
        assert!(judged("").gaps.len() > 6, "what says nothing shows nothing");
    }

    #[test]
    fn what_a_job_can_do_without_is_only_reported() {
        let said = fine()
            .replace("docker-default (enforce)", "unconfined")
            .replace("0          0 4294967295", "0     100000      65536")
            .replace("10000 100000", "max 100000")
            .replace("0::/", "4:memory:/\n0::/");
        let found = judged(&said);
        assert!(found.holds() && !found.cpu && found.userns);
        assert_eq!((found.apparmor, found.cgroup_version), (None, 1));
        let complaining = fine().replace("(enforce)", "(complain)");
        assert_eq!(judged(&complaining).apparmor, None);
    }

    #[test]
    fn another_engines_own_filter_answers_in_its_own_way() {
        let said = fine().replace("= try clone3 -38", "= try clone3 -22");
        let theirs = Given {
            our_filter: false,
            ..GIVEN
        };
        assert!(judge(&Told::of(&said), &theirs).seccomp);
    }

    #[test]
    fn gvisor_is_known_by_its_kernel() {
        let works = |said: &str| gvisor(&Told::of(said), &GIVEN, "6.1.0-13-amd64");
        let inside = fine().replace("Linux version 6.1.0-13-amd64", "Linux version 4.4.0");
        assert_eq!(works(&inside), Part::Works);
        let why = |said: &str| match works(said) {
            Part::Broken { why } => why,
            other => panic!("{other:?}"),
        };
        assert!(why(&fine()).contains("kernel"));
        assert!(why(&inside.replace("= done\n", "")).contains("end"));
        assert!(why(&inside.replace("Uid:\t65534", "Uid:\t0")).contains("rights"));
        assert!(why(&inside.replace("9p ro", "9p rw")).contains("root file system"));
        let routed = inside.replace("Gateway\n", "Gateway\neth0\t0\t0\n");
        assert!(why(&routed).contains("network"));
    }
}
