//! What the sessions that logind knows mean together.

/// One session, as logind tells it.
#[derive(Debug, Clone, Default)]
pub(super) struct Login {
    /// It belongs to a seat, that is to a screen of this machine.
    pub seat: bool,
    /// `x11`, `wayland`, `tty` and others.
    pub kind: String,
    /// `user`, `greeter` and others.
    pub class: String,
    pub terminal: String,
    pub active: bool,
    pub remote: bool,
    pub locked: Option<bool>,
    pub idle: bool,
    /// In microseconds since 1970.
    pub idle_since_us: Option<u64>,
}

impl Login {
    fn graphical(&self) -> bool {
        matches!(self.kind.as_str(), "x11" | "wayland" | "mir")
    }

    /// What is on a screen of this machine right now.
    fn shown(&self) -> bool {
        self.seat && self.active && !self.remote
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Logins(pub Vec<Login>);

impl Logins {
    /// There is a desktop on a screen of this machine, if only to log in.
    pub fn graphical(&self) -> bool {
        self.0.iter().any(|it| it.graphical() && it.seat)
    }

    /// What is shown is locked; absent where nothing is shown that could be. A greeter is as good as a lock.
    pub fn locked(&self) -> Option<bool> {
        let mut shown = self
            .0
            .iter()
            .filter(|it| it.shown() && it.graphical())
            .peekable();
        shown.peek()?;
        Some(shown.all(|it| it.class == "greeter" || it.locked == Some(true)))
    }

    /// Somebody uses a desktop of this machine from another.
    pub fn remote_desktop(&self) -> bool {
        let mut all = self.0.iter();
        all.any(|it| it.remote && it.graphical() && it.active)
    }

    /// Since when whoever is shown calls itself idle; absent as long as one does not.
    pub fn idle_since_us(&self) -> Option<u64> {
        let shown = self.0.iter().filter(|it| it.shown() && it.graphical());
        let since = shown.map(|it| it.idle_since_us.filter(|us| it.idle && *us > 0));
        since.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The terminals of those who came over the network.
    pub fn remote_terminals(&self) -> impl Iterator<Item = &str> {
        let remote = self
            .0
            .iter()
            .filter(|it| it.remote && !it.terminal.is_empty());
        remote.map(|it| it.terminal.as_str())
    }

    pub fn in_words(&self) -> String {
        let users = self.0.iter().filter(|it| it.class.starts_with("user"));
        let (remote, here): (Vec<_>, Vec<_>) = users.partition(|it| it.remote);
        let mut said = format!(
            "{} logged in here, {} from other machines.",
            here.len(),
            remote.len()
        );
        if self.locked() == Some(true) {
            said.push_str(" The screen is locked.");
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desktop() -> Login {
        Login {
            seat: true,
            kind: "wayland".into(),
            class: "user".into(),
            active: true,
            locked: Some(false),
            ..Login::default()
        }
    }

    fn ssh() -> Login {
        Login {
            kind: "tty".into(),
            class: "user".into(),
            terminal: "pts/3".into(),
            remote: true,
            active: true,
            idle: true,
            idle_since_us: Some(9),
            ..Login::default()
        }
    }

    #[test]
    fn a_desktop_is_idle_only_when_it_says_so() {
        let idle = Login {
            idle: true,
            idle_since_us: Some(7),
            ..desktop()
        };
        assert_eq!(Logins(vec![desktop(), ssh()]).idle_since_us(), None);
        assert_eq!(Logins(vec![idle.clone(), ssh()]).idle_since_us(), Some(7));
        assert_eq!(Logins(vec![idle.clone(), desktop()]).idle_since_us(), None);
        let never = Login {
            idle_since_us: Some(0),
            ..idle
        };
        assert_eq!(Logins(vec![never]).idle_since_us(), None);
        assert_eq!(Logins(vec![ssh()]).idle_since_us(), None);
    }

    #[test]
    fn what_is_shown_is_locked_and_not_what_waits_behind() {
        let locked = Login {
            locked: Some(true),
            ..desktop()
        };
        let behind = Login {
            active: false,
            ..desktop()
        };
        let greeter = Login {
            class: "greeter".into(),
            locked: None,
            ..desktop()
        };
        assert_eq!(
            Logins(vec![locked.clone(), behind.clone()]).locked(),
            Some(true)
        );
        assert_eq!(Logins(vec![greeter, behind]).locked(), Some(true));
        assert_eq!(Logins(vec![locked, desktop()]).locked(), Some(false));
        assert_eq!(Logins(vec![ssh()]).locked(), None);
    }

    #[test]
    fn a_terminal_over_the_network_is_no_seat_and_no_desktop() {
        let only = Logins(vec![ssh()]);
        assert!(!only.graphical() && !only.remote_desktop());
        assert_eq!(only.remote_terminals().collect::<Vec<_>>(), ["pts/3"]);
        let rdp = Login {
            remote: true,
            seat: false,
            ..desktop()
        };
        assert!(Logins(vec![rdp]).remote_desktop());
        assert!(Logins(vec![desktop()]).graphical());
    }
}
