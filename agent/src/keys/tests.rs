//! Every place, and every way in which one can fail. What these tests must never do is make a second identity.

use std::fs;
use std::path::{Path, PathBuf};

use super::{KeyPlace, Keys, KeysError, Surroundings};

const PASSPHRASE: &str = "correct horse battery";

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A data folder, and beside it whatever the owner provides. No keyring: that one has a test of its own.
struct Rig {
    folder: tempfile::TempDir,
    surroundings: Surroundings,
}

impl Rig {
    fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self {
            folder,
            surroundings: Surroundings::default(),
        }
    }

    fn with_passphrase() -> Self {
        let mut rig = Self::bare();
        let path = rig.beside("passphrase");
        private(&path, &format!("{PASSPHRASE}\n"));
        rig.surroundings.passphrase_file = Some(path);
        rig
    }

    fn with_credentials(mut self, seed: u8) -> Self {
        let folder = self.beside(&format!("credentials-{seed}"));
        fs::create_dir(&folder).unwrap();
        private(&folder.join("sublet-identity"), &hex::encode([seed; 32]));
        private(
            &folder.join("sublet-payout"),
            &format!("{}\n", hex::encode([seed + 1; 32])),
        );
        self.surroundings.credentials = Some(folder);
        self
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.beside("data")
    }

    fn load(&self) -> Result<Keys, KeysError> {
        Keys::load(&self.data(), &self.surroundings)
    }

    /// Nothing was made: the data folder is as it was.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.data())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

#[test]
fn with_no_place_to_keep_them_there_are_no_keys_and_the_text_says_what_to_do() {
    let rig = Rig::bare();
    let refused = rig.load().unwrap_err();
    assert!(matches!(refused, KeysError::NoPlace { .. }));
    let text = refused.to_string();
    assert!(text.contains("SUBLET_KEY_PASSPHRASE_FILE") && text.contains("sublet-identity"));
    assert_eq!(rig.files(), vec![]);
}

#[test]
fn the_encrypted_file_gives_the_same_keys_again_and_shows_none_of_them() {
    let rig = Rig::with_passphrase();
    let first = rig.load().unwrap();
    assert_eq!(first.kept_in, KeyPlace::File);
    assert!(first.payout_address.starts_with("0x") && first.payout_address.len() == 42);
    let again = rig.load().unwrap();
    assert_eq!(first.rig_key, again.rig_key);
    assert_eq!(first.rig_id, again.rig_id);
    assert_eq!(first.payout_address, again.payout_address);

    let secret = first.identity().to_bytes();
    let spelled = hex::encode(secret);
    for (path, content) in rig.files() {
        let holds = |needle: &[u8]| content.windows(needle.len()).any(|bytes| bytes == needle);
        assert!(
            !holds(&secret) && !holds(spelled.as_bytes()),
            "{}",
            path.display()
        );
    }
    assert!(!format!("{first:?}").contains(&spelled));
    assert_ne!(
        first.rig_key,
        Rig::with_passphrase().load().unwrap().rig_key
    );
}

#[cfg(unix)]
#[test]
fn the_files_are_the_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::with_passphrase();
    rig.load().unwrap();
    for name in ["keys.age", "keys.json"] {
        let mode = fs::metadata(rig.data().join(name)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_makes_nothing() {
    let rig = Rig::with_passphrase();
    rig.load().unwrap();
    let before = rig.files();
    private(&rig.beside("passphrase"), "wrong");
    let refused = rig.load().unwrap_err();
    assert!(matches!(refused, KeysError::WrongPassphrase(_)));
    assert!(!format!("{refused} {refused:?}").contains("wrong\n"));
    assert_eq!(rig.files(), before);
    private(&rig.beside("passphrase"), PASSPHRASE);
    rig.load().unwrap();
}

#[cfg(unix)]
#[test]
fn a_passphrase_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::with_passphrase();
    let path = rig.beside("passphrase");
    for mode in [0o644, 0o640, 0o602] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = rig.load().unwrap_err();
        assert!(matches!(refused, KeysError::PassphraseFile { .. }));
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    assert_eq!(rig.files(), vec![]);
}

#[test]
fn an_empty_or_missing_passphrase_is_refused() {
    let mut rig = Rig::with_passphrase();
    private(&rig.beside("passphrase"), "\n");
    assert!(matches!(rig.load(), Err(KeysError::PassphraseFile { .. })));
    rig.surroundings.passphrase_file = Some(rig.beside("nowhere"));
    assert!(matches!(rig.load(), Err(KeysError::PassphraseFile { .. })));
    assert_eq!(rig.files(), vec![]);
}

#[test]
fn keys_that_exist_are_never_replaced_by_new_ones() {
    let mut rig = Rig::with_passphrase();
    let first = rig.load().unwrap();

    // The passphrase is gone.
    let passphrase = rig.surroundings.passphrase_file.take();
    let before = rig.files();
    assert!(matches!(rig.load(), Err(KeysError::NoPassphrase)));
    assert_eq!(rig.files(), before);
    rig.surroundings.passphrase_file = passphrase;

    // The file is gone.
    let (file, aside) = (rig.data().join("keys.age"), rig.beside("aside"));
    fs::rename(&file, &aside).unwrap();
    let before = rig.files();
    let refused = rig.load().unwrap_err();
    assert!(matches!(
        refused,
        KeysError::Unavailable {
            place: KeyPlace::File,
            ..
        }
    ));
    assert_eq!(rig.files(), before);

    // The file is damaged.
    let sealed = fs::read(&aside).unwrap();
    for damaged in [
        &sealed[..sealed.len() - 7],
        &sealed[..20],
        b"nonsense".as_slice(),
        b"",
    ] {
        fs::write(&file, damaged).unwrap();
        let before = rig.files();
        rig.load().unwrap_err();
        assert_eq!(rig.files(), before);
    }
    fs::write(&file, &sealed).unwrap();

    // The note is damaged, which is not a first start.
    let note = rig.data().join("keys.json");
    let good = fs::read(&note).unwrap();
    fs::write(&note, b"{").unwrap();
    assert!(matches!(rig.load(), Err(KeysError::DamagedNote(_))));
    fs::write(&note, good).unwrap();
    assert_eq!(rig.load().unwrap().rig_key, first.rig_key);

    // The note was not written before the power went: the file that is there is taken.
    fs::remove_file(&note).unwrap();
    assert_eq!(rig.load().unwrap().rig_key, first.rig_key);
    assert!(note.exists());
}

#[test]
fn credentials_are_taken_first_and_must_be_the_same_rig_s() {
    let rig = Rig::with_passphrase().with_credentials(7);
    let first = rig.load().unwrap();
    assert_eq!(first.kept_in, KeyPlace::Credentials);
    assert_eq!(first.identity().to_bytes(), [7; 32]);
    assert!(!rig.data().join("keys.age").exists());

    // Without them, later: no other identity.
    let mut without = rig;
    let credentials = without.surroundings.credentials.take();
    let before = without.files();
    assert!(matches!(
        without.load(),
        Err(KeysError::Unavailable {
            place: KeyPlace::Credentials,
            ..
        })
    ));
    assert_eq!(without.files(), before);

    // Another rig's.
    without.surroundings.credentials = credentials;
    let stranger = without.with_credentials(9);
    let refused = stranger.load().unwrap_err();
    assert!(matches!(refused, KeysError::OtherKeys { .. }), "{refused}");
    assert_eq!(stranger.files(), before);
}

#[test]
fn an_owner_may_move_the_same_keys_into_credentials() {
    let mut rig = Rig::with_passphrase();
    let first = rig.load().unwrap();
    // Opened with the passphrase, as the `age` tool would.
    let sealed = fs::read(rig.data().join("keys.age")).unwrap();
    let identity = age::scrypt::Identity::new(PASSPHRASE.to_owned().into());
    let text = String::from_utf8(age::decrypt(&identity, &sealed).unwrap()).unwrap();
    let (one, two) = text.trim().split_once('\n').unwrap();
    let folder = rig.beside("credentials");
    fs::create_dir(&folder).unwrap();
    private(&folder.join("sublet-identity"), one);
    private(&folder.join("sublet-payout"), two);
    rig.surroundings.credentials = Some(folder);
    let moved = rig.load().unwrap();
    assert_eq!(moved.rig_key, first.rig_key);
    assert_eq!(moved.payout_address, first.payout_address);
    assert_eq!(moved.kept_in, KeyPlace::Credentials);
}

#[test]
fn half_or_malformed_credentials_are_refused_without_being_shown() {
    let rig = Rig::bare().with_credentials(7);
    let folder = rig.surroundings.credentials.clone().unwrap();
    private(&folder.join("sublet-payout"), "not-a-key-but-secret");
    let refused = rig.load().unwrap_err();
    assert!(matches!(refused, KeysError::Malformed { .. }));
    assert!(!format!("{refused} {refused:?}").contains("secret"));
    fs::remove_file(folder.join("sublet-payout")).unwrap();
    assert!(matches!(rig.load(), Err(KeysError::HalfTheCredentials)));
    fs::remove_file(folder.join("sublet-identity")).unwrap();
    assert!(matches!(rig.load(), Err(KeysError::NoPlace { .. })));
    assert_eq!(rig.files(), vec![]);
}

#[cfg(target_os = "linux")]
mod in_a_real_keyring {
    //! Each step runs this test again in a child process, in a D-Bus session of its own with the keyring in the
    //! state that the step is about. The keyring lives in a temporary folder.

    use super::*;
    use std::process::{Command, Output, Stdio};
    use std::time::{Duration, Instant};

    const STEP: &str = "SUBLET_TEST_KEYS_STEP";
    const FOLDER: &str = "SUBLET_TEST_KEYS_FOLDER";
    const NAME: &str = "keys::tests::in_a_real_keyring::keys_live_in_the_keyring_and_nowhere_else";
    const UNLOCKED: &str = "printf '\\n' | gnome-keyring-daemon --unlock --components=secrets \
                            --daemonize >/dev/null && exec \"$@\"";
    const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets --daemonize \
                          </dev/null >/dev/null && exec \"$@\"";

    /// What the child does; it prints what it saw of the keys.
    #[expect(clippy::print_stdout, reason = "the child tells its parent")]
    fn play(step: &str, folder: &Path) {
        let load = |data: &str, passphrase: bool| {
            let data = folder.join(data);
            fs::create_dir_all(&data).unwrap();
            Keys::load(
                &data,
                &Surroundings {
                    credentials: None,
                    keyring: true,
                    passphrase_file: passphrase.then(|| folder.join("passphrase")),
                },
            )
        };
        let seen = match step {
            "load" => load("one", false),
            "load another" => load("two", false),
            "load with a passphrase" => load("one", true),
            "load a third with a passphrase" => load("three", true),
            other => panic!("no step {other}"),
        };
        match seen {
            Ok(keys) => println!("\nkeys {:?} {}", keys.kept_in, keys.rig_id),
            Err(KeysError::Unavailable { place, detail }) => {
                println!("\nunavailable {place:?}: {detail}");
            }
            Err(error) => println!("\nerror {error}"),
        }
    }

    struct Session {
        folder: tempfile::TempDir,
    }

    impl Session {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            private(&folder.path().join("passphrase"), PASSPHRASE);
            fs::create_dir(folder.path().join("run")).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let own = fs::Permissions::from_mode(0o700);
                fs::set_permissions(folder.path().join("run"), own).unwrap();
            }
            Self { folder }
        }

        fn command(&self, program: &str) -> Command {
            let mut command = Command::new(program);
            command
                .env("HOME", self.folder.path())
                .env("XDG_DATA_HOME", self.folder.path().join("share"))
                .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
                .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
                .env(FOLDER, self.folder.path());
            command
        }

        fn with_keyring(&self, state: &str, step: &str) -> String {
            let mut command = self.command("dbus-run-session");
            command.args(["--", "sh", "-c", state, "sh"]);
            self.play(command, step)
        }

        fn without_keyring(&self, step: &str) -> String {
            self.play(self.command("env"), step)
        }

        /// The line that the child said.
        fn play(&self, mut command: Command, step: &str) -> String {
            let child = command
                .arg(std::env::current_exe().unwrap())
                .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
                .env(STEP, step)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("this test needs dbus-run-session (package dbus-x11 or dbus)");
            let output = finished(child);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            said.lines()
                .find(|line| {
                    ["keys ", "unavailable ", "error "]
                        .iter()
                        .any(|start| line.starts_with(start))
                })
                .map(str::to_owned)
                .unwrap_or_else(|| {
                    panic!(
                        "{step}: nothing was said; are gnome-keyring and dbus installed?\n{said}\n{}",
                        String::from_utf8_lossy(&output.stderr)
                    )
                })
        }
    }

    fn finished(mut child: std::process::Child) -> Output {
        let deadline = Instant::now() + Duration::from_secs(60);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("the session did not end within a minute");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.wait_with_output().unwrap()
    }

    #[test]
    fn keys_live_in_the_keyring_and_nowhere_else() {
        if let (Ok(step), Some(folder)) = (std::env::var(STEP), std::env::var_os(FOLDER)) {
            play(&step, Path::new(&folder));
            return;
        }
        let session = Session::new();

        // Made once, found again, and another data folder has its own.
        let first = session.with_keyring(UNLOCKED, "load");
        assert!(first.starts_with("keys Keyring rig-"), "{first}");
        assert_eq!(session.with_keyring(UNLOCKED, "load"), first);
        let other = session.with_keyring(UNLOCKED, "load another");
        assert!(other.starts_with("keys Keyring rig-"), "{other}");
        assert_ne!(other, first);
        let files: Vec<_> = fs::read_dir(session.folder.path().join("one"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(files, ["keys.json"]);

        // No keyring at all, or a locked one: no keys, and no others even where a passphrase would allow it.
        for step in ["load", "load with a passphrase"] {
            let refused = session.without_keyring(step);
            assert!(refused.starts_with("unavailable Keyring"), "{refused}");
        }
        let refused = session.with_keyring(LOCKED, "load with a passphrase");
        assert!(refused.starts_with("unavailable Keyring"), "{refused}");

        // A rig that has no keys yet takes the next place.
        let file = session.without_keyring("load a third with a passphrase");
        assert!(file.starts_with("keys File rig-"), "{file}");
        let file_again = session.with_keyring(UNLOCKED, "load a third with a passphrase");
        assert_eq!(file_again, file);

        // The entry is gone.
        let clear = "printf '\\n' | gnome-keyring-daemon --unlock --components=secrets --daemonize \
                     >/dev/null && secret-tool clear service sublet && exec \"$@\"";
        let refused = session.with_keyring(clear, "load");
        assert!(
            refused.starts_with("unavailable Keyring") && refused.contains("is gone"),
            "{refused}"
        );
    }

    #[test]
    fn a_keyring_without_a_collection_is_not_taken_for_an_empty_one() {
        let session = Session::new();
        let file = session.with_keyring(LOCKED, "load a third with a passphrase");
        assert!(file.starts_with("keys File rig-"), "{file}");
    }
}
